import type { Pod, StatefulSet, StatefulSetStatus } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { resolveShare } from "#controllers/deployment/rounding.ts";
import { isPodAvailable, isPodFinished, isPodReady } from "#controllers/pods/pod-state.ts";
import { positive } from "#controllers/replica-set/plan-replica-set.ts";
import { revisionHashLabel } from "#controllers/revision-history/revision-history.ts";

export interface ObservedStatefulSet {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** The revision of the present template, and that which pods were of before. */
  readonly updateRevision: string;
  readonly currentRevision: string;
  readonly nowMs: number;
}

export type StatefulAction =
  | { readonly kind: "create"; readonly ordinal: number; readonly revision: string }
  | { readonly kind: "delete"; readonly pod: Pod };

export interface StatefulPlan {
  readonly actions: readonly StatefulAction[];
  readonly status: StatefulSetStatus;
}

/**
 * The next step of a StatefulSet: one pod at a time, each when those before it are available, or all at once with
 * `podManagementPolicy: Parallel`. Updates go from the last ordinal down to the partition.
 */
export function planStatefulSet(observed: ObservedStatefulSet): StatefulPlan {
  const { set, pods } = observed;
  const leaving = set.metadata.deletionTimestamp !== undefined;
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const actions = leaving ? [] : actionsOf(observed, byOrdinal);
  return { actions, status: statusOf(observed) };
}

export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const suffix = nameOf(pod).slice(nameOf(set).length + 1);
  return /^\d+$/.test(suffix) ? Number(suffix) : -1;
}

function actionsOf(
  observed: ObservedStatefulSet,
  byOrdinal: ReadonlyMap<number, Pod>,
): readonly StatefulAction[] {
  const { set } = observed;
  const parallel = set.spec?.podManagementPolicy === "Parallel";
  const wanted = ordinalsOf(set);
  const actions: StatefulAction[] = [];
  for (const ordinal of wanted) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) {
      actions.push({ kind: "create", ordinal, revision: revisionFor(observed, ordinal) });
    } else if (isPodFinished(pod) && !pod.metadata.deletionTimestamp) {
      actions.push({ kind: "delete", pod });
    } else if (isSettled(observed, pod)) continue;
    if (!parallel) return actions;
  }
  if (actions.length > 0) return actions;
  const surplus = [...byOrdinal]
    .filter(([ordinal]) => !wanted.includes(ordinal))
    .toSorted(([one], [other]) => other - one)
    .map(([, pod]) => pod);
  if (!parallel && surplus.length > 0) return shrinkStep(observed, surplus);
  const staying = surplus.filter(isStaying);
  return staying.length > 0 ? staying.map(removal) : updateStep(observed, byOrdinal, wanted);
}

/**
 * The last pod goes, once it is available: who scales down a set that is not well may lose what is left of it. The
 * first pod that is not ready need not be waited for, or a set could never get rid of it.
 */
function shrinkStep(
  observed: ObservedStatefulSet,
  surplus: readonly Pod[],
): readonly StatefulAction[] {
  const [last] = surplus;
  if (last === undefined || !isStaying(last)) return [];
  const firstUnhealthy = surplus.findLast((pod) => !isPodReady(pod) || !isStaying(pod));
  return isSettled(observed, last) || last === firstUnhealthy ? [removal(last)] : [];
}

function isStaying(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined;
}

function removal(pod: Pod): StatefulAction {
  return { kind: "delete", pod };
}

/** At most `maxUnavailable` pods, one where it is not given, are missing because of an update. */
function updateStep(
  observed: ObservedStatefulSet,
  byOrdinal: ReadonlyMap<number, Pod>,
  wanted: readonly number[],
): readonly StatefulAction[] {
  const { updateStrategy } = observed.set.spec ?? {};
  if (updateStrategy?.type === "OnDelete") return [];
  const { partition = 0, maxUnavailable = 1 } = updateStrategy?.rollingUpdate ?? {};
  const isUp = (pod: Pod | undefined): boolean => pod !== undefined && isSettled(observed, pod);
  const missing = wanted.filter((ordinal) => !isUp(byOrdinal.get(ordinal))).length;
  const max = Math.max(1, resolveShare(maxUnavailable, wanted.length, Math.floor));
  let room = max - missing;
  const actions: StatefulAction[] = [];
  for (const ordinal of wanted.toReversed()) {
    const pod = byOrdinal.get(ordinal);
    if (ordinal < partition || pod === undefined) return actions;
    if (revisionOfPod(pod) === observed.updateRevision) {
      if (!isUp(pod) && room <= 0) return actions;
    } else if (pod.metadata.deletionTimestamp === undefined) {
      // One that is not up is missing already.
      if (isUp(pod) && room-- <= 0) return actions;
      actions.push({ kind: "delete", pod });
    }
  }
  return actions;
}

export function ordinalsOf({ spec }: StatefulSet): readonly number[] {
  const start = spec?.ordinals?.start ?? 0;
  return Array.from({ length: spec?.replicas ?? 1 }, (_, index) => start + index);
}

/** Below the partition, and while an update goes on, pods keep the old form. */
function revisionFor(observed: ObservedStatefulSet, ordinal: number): string {
  const { set, currentRevision, updateRevision } = observed;
  const { updateStrategy } = set.spec ?? {};
  if (updateStrategy?.type === "OnDelete") return updateRevision;
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
  return ordinal < partition ? currentRevision : updateRevision;
}

function isSettled({ set, nowMs }: ObservedStatefulSet, pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  return isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
}

export function revisionOfPod(pod: Pod): string {
  return pod.metadata.labels?.[revisionHashLabel] ?? "";
}

function statusOf(observed: ObservedStatefulSet): StatefulSetStatus {
  const { set, pods, currentRevision, updateRevision, nowMs } = observed;
  const alive = pods.filter((pod) => !isPodFinished(pod));
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const count = (holds: (pod: Pod) => boolean): number => alive.filter(holds).length;
  const isOf = (revision: string) => (pod: Pod) =>
    revisionOfPod(pod) === revision && pod.metadata.deletionTimestamp === undefined;
  const ready = count(isPodReady);
  const updated = count(isOf(updateRevision));
  const replicas = set.spec?.replicas ?? 1;
  const complete = updated === replicas && ready === replicas && alive.length === replicas;
  const rolling = set.spec?.updateStrategy?.type !== "OnDelete";
  const current = complete && rolling ? updateRevision : currentRevision;
  const collisionCount = set.status?.collisionCount ?? 0;
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: alive.length,
    ...positive("readyReplicas", ready),
    availableReplicas: count((pod) => isPodAvailable(pod, minReadySeconds, nowMs)),
    ...positive("currentReplicas", count(isOf(current))),
    ...positive("updatedReplicas", updated),
    currentRevision: current,
    updateRevision,
    collisionCount,
  };
}
