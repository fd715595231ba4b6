import type { Pod } from "#api/generated/types.ts";
import { podAmount } from "#agent/pods/pod-amounts.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

/** A change of resources that waits for room. */
export interface WaitingResize {
  /** As the object wants it. */
  readonly pod: Pod;
  /** With the resources that were granted so far. */
  readonly granted: Pod;
  readonly sinceMs: number;
}

/**
 * Who is asked first when there is room: those that need no more of it, then by priority, then guaranteed pods, then
 * who has waited longest; upstream's order.
 */
export function orderResizes<T extends WaitingResize>(waiting: readonly T[]): readonly T[] {
  return waiting
    .map((one) => ({ one, rank: rankOf(one) }))
    .toSorted((left, right) => compare(left.rank, right.rank))
    .map(({ one }) => one);
}

/** Whether a pod requests more processors or memory than another. */
export function requestsMore(pod: Pod, other: Pod): boolean {
  return ["cpu", "memory"].some(
    (name) => (podAmount(pod, "requests", name) ?? 0n) > (podAmount(other, "requests", name) ?? 0n),
  );
}

function rankOf({ pod, granted, sinceMs }: WaitingResize): readonly number[] {
  const grows = requestsMore(pod, granted) ? 1 : 0;
  const isGuaranteed = qosClassOf(pod) === "Guaranteed" ? 0 : 1;
  return [grows, -(pod.spec?.priority ?? 0), isGuaranteed, sinceMs];
}

function compare(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
