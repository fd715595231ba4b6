import type {
  Pod,
  ReplicaSet,
  ReplicaSetCondition,
  ReplicaSetStatus,
} from "#api/generated/types.ts";
import { labelSetMatcher } from "#api/selector/label-selector.ts";
import { rfc3339 } from "#base/clock.ts";
import { byDeletionOrder } from "#controllers/pods/deletion-order.ts";
import type { PodGroup } from "#controllers/pods/pod-tally.ts";

export interface ObservedReplicaSet {
  readonly replicaSet: ReplicaSet;
  readonly activeCount: number;
  /** The pods it owns that neither ended nor are being deleted; asked for only when some are too many. */
  readonly active: () => readonly Pod[];
  /** Active pods of all ReplicaSets of the same owner, for the choice of what to delete. */
  readonly related: () => Iterable<Pod>;
  readonly nowMs: number;
}

export type ReplicaAction =
  | { readonly kind: "create"; readonly count: number }
  | { readonly kind: "delete"; readonly pods: readonly Pod[] }
  | { readonly kind: "nothing" };

/** How many pods one pass makes or deletes at most. */
const burstMax = 500;

export function planReplicas(observed: ObservedReplicaSet): ReplicaAction {
  const { replicaSet, activeCount, active, related, nowMs } = observed;
  if (replicaSet.metadata.deletionTimestamp !== undefined) return { kind: "nothing" };
  const surplus = activeCount - wantedReplicas(replicaSet);
  if (surplus === 0) return { kind: "nothing" };
  const count = Math.min(Math.abs(surplus), burstMax);
  if (surplus < 0) return { kind: "create", count };
  return { kind: "delete", pods: byDeletionOrder(active(), related(), nowMs).slice(0, count) };
}

export function wantedReplicas(replicaSet: ReplicaSet): number {
  return replicaSet.spec?.replicas ?? 1;
}

export interface ObservedStatus {
  readonly replicaSet: ReplicaSet;
  /** The pods it owns, by their labels. */
  readonly groups: readonly PodGroup[];
  /** What this pass could not do. */
  readonly failure?: { readonly action: ReplicaAction["kind"]; readonly message: string };
  readonly nowMs: number;
}

export function planReplicaSetStatus(observed: ObservedStatus): ReplicaSetStatus {
  const { replicaSet, groups, nowMs } = observed;
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
  const labelled = labelSetMatcher(replicaSet.spec?.template?.metadata?.labels ?? {});
  const conditions = conditionsAfter(observed);
  return {
    replicas: sum(groups, ({ activeCount }) => activeCount),
    ...positive(
      "fullyLabeledReplicas",
      sum(groups, ({ labels, activeCount }) => (labelled.matches(labels) ? activeCount : 0)),
    ),
    ...positive(
      "readyReplicas",
      sum(groups, ({ readySinceMs }) => readySinceMs.size),
    ),
    ...positive(
      "availableReplicas",
      sum(groups, (group) => availableCount(group, minReadySeconds, nowMs)),
    ),
    terminatingReplicas: sum(groups, ({ terminatingCount }) => terminatingCount),
    ...(conditions.length > 0 && { conditions }),
    observedGeneration: replicaSet.metadata.generation ?? 0,
  };
}

function availableCount(
  { readySinceMs }: PodGroup,
  minReadySeconds: number,
  nowMs: number,
): number {
  if (minReadySeconds === 0) return readySinceMs.size;
  return sum(readySinceMs.values(), (since) => Number(since + minReadySeconds * 1000 <= nowMs));
}

/** How long until the next pod becomes available by the passing of time alone. */
export function nextAvailableIn(
  groups: readonly PodGroup[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  if (minReadySeconds === 0) return undefined;
  let soonestMs = Infinity;
  for (const { readySinceMs } of groups) {
    for (const since of readySinceMs.values()) {
      const at = since + minReadySeconds * 1000;
      if (at > nowMs && at < soonestMs) soonestMs = at;
    }
  }
  return soonestMs === Infinity ? undefined : soonestMs - nowMs;
}

export function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

/** A count as upstream's JSON has it: left out when zero. */
export function positive<Name extends string>(
  name: Name,
  count: number,
): { readonly [field in Name]?: number } {
  return (count === 0 ? {} : { [name]: count }) as { [field in Name]?: number };
}

function conditionsAfter(observed: ObservedStatus): readonly ReplicaSetCondition[] {
  const { replicaSet, failure, nowMs } = observed;
  const known = replicaSet.status?.conditions ?? [];
  const others = known.filter((condition) => condition.type !== "ReplicaFailure");
  if (failure === undefined) return others;
  if (others.length < known.length) return known;
  return [
    ...others,
    {
      type: "ReplicaFailure",
      status: "True",
      lastTransitionTime: rfc3339(nowMs),
      reason: failure.action === "delete" ? "FailedDelete" : "FailedCreate",
      message: failure.message,
    },
  ];
}
