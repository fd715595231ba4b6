import type { Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { podConditionOf } from "#controllers/pods/pod-state.ts";
import type { PodReading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";

/** How far the metrics of an application's pods can be trusted. */
export interface PodGroups {
  readonly readyCount: number;
  /** Not started, or so young that their use of processors says nothing. */
  readonly unready: ReadonlySet<string>;
  /** Nothing is known of their use. */
  readonly missing: ReadonlySet<string>;
  /** What is known of the ready ones. */
  readonly readings: ReadonlyMap<string, PodReading>;
}

/** Pods use much while they start: what they use in their first minutes counts only once they are ready. */
const startingMs = 300_000;
/** A pod that became unready so soon after its start was never ready. */
const firstReadinessMs = 30_000;

export function groupPods(
  pods: readonly Pod[],
  readings: ReadonlyMap<string, PodReading>,
  { resource, nowMs }: { readonly resource: string; readonly nowMs: number },
): PodGroups {
  const unready = new Set<string>();
  const missing = new Set<string>();
  const trusted = new Map(readings);
  let readyCount = 0;
  for (const pod of pods) {
    const name = nameOf(pod);
    const reading = readings.get(name);
    if (pod.metadata.deletionTimestamp !== undefined || pod.status?.phase === "Failed") {
      trusted.delete(name);
    } else if (pod.status?.phase === "Pending") {
      unready.add(name);
      trusted.delete(name);
    } else if (reading === undefined) missing.add(name);
    else if (resource === "cpu" && isStarting(pod, reading, nowMs)) {
      unready.add(name);
      trusted.delete(name);
    } else readyCount++;
  }
  return { readyCount, unready, missing, readings: trusted };
}

function isStarting(pod: Pod, reading: PodReading, nowMs: number): boolean {
  const condition = podConditionOf(pod, "Ready");
  const startedMs = Date.parse(pod.status?.startTime ?? "");
  if (condition === undefined || Number.isNaN(startedMs)) return true;
  const changedMs = Date.parse(condition.lastTransitionTime ?? "") || 0;
  const isUnready = condition.status === "False";
  if (startedMs + startingMs > nowMs) {
    return isUnready || reading.timestampMs < changedMs + reading.windowMs;
  }
  return isUnready && startedMs + firstReadinessMs > changedMs;
}
