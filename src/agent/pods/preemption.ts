import type { Pod } from "#api/generated/types.ts";
import { isCritical } from "#agent/eviction/rank-pods.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";
import { requestOf, type Shortage } from "#agent/pods/room.ts";

/** What a pod is told that ends for one without which the cluster does not work; upstream's words. */
export const preemptedEnd: PodEnd = {
  reason: "Preempting",
  message: "Preempted in order to admit critical pod",
  disruption: {
    reason: "TerminationByKubelet",
    message: "Pod was preempted by Kubelet to accommodate a critical pod.",
  },
};

export type Choice =
  | { readonly kind: "chosen"; readonly pods: readonly Pod[] }
  | { readonly kind: "impossible"; readonly message: string };

interface Need {
  readonly resource: string;
  readonly amount: number;
}

/**
 * The pods that end so that a critical pod has room. As few guaranteed pods as possible, then burstable ones, then those
 * of best effort; within a class, each time the pod that comes nearest to what is still needed.
 */
export function choosePreempted(
  pod: Pod,
  others: readonly Pod[],
  shortages: readonly Shortage[],
): Choice {
  const needs = shortages.map(({ resource, requested, used, capacity }) => ({
    resource,
    amount: requested - (capacity - used),
  }));
  const candidates = others.filter((one) => givesWay(one, pod));
  const missing = leftOf(needs, candidates);
  if (missing.length > 0) return { kind: "impossible", message: impossibleText(missing) };
  const of = (name: string): readonly Pod[] => candidates.filter((one) => qosClassOf(one) === name);
  const [bestEffort, burstable, guaranteed] = [of("BestEffort"), of("Burstable"), of("Guaranteed")];
  const third = nearest(guaranteed, leftOf(needs, [...bestEffort, ...burstable]));
  const second = nearest(burstable, leftOf(needs, [...bestEffort, ...third]));
  const first = nearest(bestEffort, leftOf(needs, [...second, ...third]));
  return { kind: "chosen", pods: [...first, ...second, ...third] };
}

function givesWay(one: Pod, critical: Pod): boolean {
  if (!isCritical(one)) return true;
  const [mine, theirs] = [one.spec?.priority, critical.spec?.priority];
  return mine !== undefined && theirs !== undefined && theirs > mine;
}

/** What is still needed once these pods are gone. */
function leftOf(needs: readonly Need[], pods: readonly Pod[]): readonly Need[] {
  return needs
    .map(({ resource, amount }) => ({
      resource,
      amount: pods.reduce((left, pod) => left - requestOf(pod, resource), amount),
    }))
    .filter(({ amount }) => amount > 0);
}

function nearest(pods: readonly Pod[], wanted: readonly Need[]): readonly Pod[] {
  const left = new Set(pods);
  const chosen: Pod[] = [];
  let needs = wanted;
  while (needs.length > 0 && left.size > 0) {
    const still = needs;
    const best = [...left].reduce((one, other) => (isNearer(other, one, still) ? other : one));
    left.delete(best);
    chosen.push(best);
    needs = leftOf(needs, [best]);
  }
  return chosen;
}

/** Of two that help alike, the one that asked for less. */
function isNearer(one: Pod, other: Pod, needs: readonly Need[]): boolean {
  const [mine, theirs] = [one, other].map((pod) => [
    distanceOf(pod, needs),
    requestOf(pod, "memory"),
    requestOf(pod, "cpu"),
  ]);
  const differing = (mine ?? []).findIndex((value, index) => value !== theirs?.[index]);
  return differing >= 0 && (mine?.[differing] ?? 0) < (theirs?.[differing] ?? 0);
}

/** The shares of the needs that stay, squared: each need weighs the same, whatever its unit. */
function distanceOf(pod: Pod, needs: readonly Need[]): number {
  return needs.reduce((sum, { resource, amount }) => {
    const left = Math.max(0, amount - requestOf(pod, resource));
    return sum + (left / amount) ** 2;
  }, 0);
}

function impossibleText(missing: readonly Need[]): string {
  const list = missing.map(({ resource, amount }) => `(res: ${resource}, q: ${amount}), `);
  return (
    "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to " +
    `preempt: no set of running pods found to reclaim resources: [${list.join("")}]`
  );
}
