import type { Pod, PodCondition } from "#api/generated/types.ts";

export function podConditionOf(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podConditionOf(pod, "Ready")?.status === "True";
}

/** Ended for good, or on its way: such a pod no longer counts as a replica. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isPodTerminating(pod: Pod): boolean {
  return !isPodFinished(pod) && pod.metadata.deletionTimestamp !== undefined;
}

export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** When the pod will have been ready for `minReadySeconds`: in the past for an available pod, undefined when not ready. */
export function availableAtMs(pod: Pod, minReadySeconds: number): number | undefined {
  const ready = podConditionOf(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  if (ready.lastTransitionTime === undefined) return undefined;
  return Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000;
}

export function isPodAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const at = availableAtMs(pod, minReadySeconds);
  return at !== undefined && at <= nowMs;
}

/** How long until the next of the pods becomes available by the passing of time alone. */
export function nextAvailableInMs(
  pods: Iterable<Pod>,
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  let soonest: number | undefined;
  for (const pod of pods) {
    const at = availableAtMs(pod, minReadySeconds);
    if (at === undefined || at <= nowMs) continue;
    if (soonest === undefined || at < soonest) soonest = at;
  }
  return soonest === undefined ? undefined : soonest - nowMs;
}
