import type {
  Pod,
  ReplicaSet,
  ReplicaSetCondition,
  ReplicaSetStatus,
} from "#api/generated/types.ts";
import { labelSetMatcher } from "#api/selector/label-selector.ts";
import { rfc3339 } from "#base/clock.ts";
import { byDeletionOrder } from "#controllers/pods/deletion-order.ts";
import { isPodAvailable, isPodReady } from "#controllers/pods/pod-state.ts";

export interface ObservedReplicaSet {
  readonly replicaSet: ReplicaSet;
  /** The pods it owns that neither ended nor are being deleted. */
  readonly active: readonly Pod[];
  /** Pods of all ReplicaSets of the same owner, for the choice of what to delete. */
  readonly related: Iterable<Pod>;
  readonly nowMs: number;
}

export type ReplicaAction =
  | { readonly kind: "create"; readonly count: number }
  | { readonly kind: "delete"; readonly pods: readonly Pod[] }
  | { readonly kind: "nothing" };

/** How many pods one pass makes or deletes at most. */
const burstMax = 500;

export function planReplicas(observed: ObservedReplicaSet): ReplicaAction {
  const { replicaSet, active, related, nowMs } = observed;
  if (replicaSet.metadata.deletionTimestamp !== undefined) return { kind: "nothing" };
  const surplus = active.length - wantedReplicas(replicaSet);
  if (surplus === 0) return { kind: "nothing" };
  const count = Math.min(Math.abs(surplus), burstMax);
  if (surplus < 0) return { kind: "create", count };
  return { kind: "delete", pods: byDeletionOrder(active, related, nowMs).slice(0, count) };
}

export function wantedReplicas(replicaSet: ReplicaSet): number {
  return replicaSet.spec?.replicas ?? 1;
}

export interface ObservedStatus {
  readonly replicaSet: ReplicaSet;
  readonly active: readonly Pod[];
  readonly terminatingCount: number;
  /** What this pass could not do. */
  readonly failure?: { readonly action: ReplicaAction["kind"]; readonly message: string };
  readonly nowMs: number;
}

export function planReplicaSetStatus(observed: ObservedStatus): ReplicaSetStatus {
  const { replicaSet, active, terminatingCount, nowMs } = observed;
  const minReadySeconds = replicaSet.spec?.minReadySeconds ?? 0;
  const labelled = labelSetMatcher(replicaSet.spec?.template?.metadata?.labels ?? {});
  const count = (holds: (pod: Pod) => boolean): number => active.filter(holds).length;
  const conditions = conditionsAfter(observed);
  return {
    replicas: active.length,
    ...positive(
      "fullyLabeledReplicas",
      count((pod) => labelled.matches(pod.metadata.labels)),
    ),
    ...positive("readyReplicas", count(isPodReady)),
    ...positive(
      "availableReplicas",
      count((pod) => isPodAvailable(pod, minReadySeconds, nowMs)),
    ),
    terminatingReplicas: terminatingCount,
    ...(conditions.length > 0 && { conditions }),
    observedGeneration: replicaSet.metadata.generation ?? 0,
  };
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
