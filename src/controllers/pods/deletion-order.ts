import type { Pod } from "#api/generated/types.ts";
import { isPodReady, podConditionOf } from "#controllers/pods/pod-state.ts";

/**
 * Orders pods so that those whose loss matters least come first, as upstream's `ActivePodsWithRanks`. `related` are
 * the pods of the same application: where several share a node, one of them goes first.
 */
export function byDeletionOrder(
  pods: readonly Pod[],
  related: Iterable<Pod>,
  nowMs: number,
): readonly Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const crowding = (pod: Pod): number => perNode.get(pod.spec?.nodeName ?? "") ?? 0;
  return pods.toSorted((one, other) => {
    for (const rule of rules) {
      const difference = rule(one, other);
      if (difference !== 0) return difference;
    }
    const crowded = crowding(other) - crowding(one);
    if (crowded !== 0) return crowded;
    return byAge(one, other, nowMs);
  });
}

type Rule = (one: Pod, other: Pod) => number;

const rules: readonly Rule[] = [
  (one, other) => Number(isAssigned(one)) - Number(isAssigned(other)),
  (one, other) => phaseRank(one) - phaseRank(other),
  (one, other) => Number(isPodReady(one)) - Number(isPodReady(other)),
  (one, other) => deletionCost(one) - deletionCost(other),
];

function byAge(one: Pod, other: Pod, nowMs: number): number {
  const [oneReady, otherReady] = [readySince(one), readySince(other)];
  if (isPodReady(one) && isPodReady(other) && oneReady !== otherReady) {
    return byBucket({ one, other, oneMs: oneReady, otherMs: otherReady, nowMs });
  }
  const restarts = maxRestarts(other) - maxRestarts(one);
  if (restarts !== 0) return restarts;
  const [oneMs, otherMs] = [createdAt(one), createdAt(other)];
  return oneMs === otherMs ? 0 : byBucket({ one, other, oneMs, otherMs, nowMs });
}

interface Ages {
  readonly one: Pod;
  readonly other: Pod;
  readonly oneMs: number;
  readonly otherMs: number;
  readonly nowMs: number;
}

/** The younger first, but ages within one power of two count as equal, which spreads the choice. */
function byBucket({ one, other, oneMs, otherMs, nowMs }: Ages): number {
  const difference = ageBucket(oneMs, nowMs) - ageBucket(otherMs, nowMs);
  if (difference !== 0) return difference;
  return (one.metadata.uid ?? "") < (other.metadata.uid ?? "") ? -1 : 1;
}

function ageBucket(timeMs: number, nowMs: number): number {
  const ageNanoseconds = (nowMs - timeMs) * 1e6;
  return ageNanoseconds <= 0 ? -1 : Math.floor(Math.log2(ageNanoseconds));
}

function isAssigned(pod: Pod): boolean {
  return Boolean(pod.spec?.nodeName);
}

function phaseRank(pod: Pod): number {
  const rank = ["Pending", "Unknown", "Running"].indexOf(pod.status?.phase ?? "Pending");
  return rank < 0 ? 0 : rank;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? "";
  return /^(0|-?[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

function readySince(pod: Pod): number {
  return Date.parse(podConditionOf(pod, "Ready")?.lastTransitionTime ?? "") || 0;
}

function createdAt(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? "") || 0;
}

function maxRestarts(pod: Pod): number {
  const counts = (pod.status?.containerStatuses ?? []).map((status) => status.restartCount);
  return Math.max(0, ...counts);
}
