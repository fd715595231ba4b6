import type { Pod } from "#api/generated/types.ts";
import { durationMs, type NodeSettings } from "#agent/node/node-settings.ts";

/** Pods that end together, and how long they have for it. */
export interface ShutdownGroup {
  /** The least priority that belongs to it. */
  readonly priority: number;
  readonly graceSeconds: number;
}

/** From this priority on a pod is critical: `system-cluster-critical`. */
const criticalPriority = 2_000_000_000;

/** The groups in the order in which they end, the least important first; none: shutdowns are not waited for. */
export function shutdownGroups(settings: NodeSettings): readonly ShutdownGroup[] {
  const byPriority = settings.shutdownGracePeriodByPodPriority.map(
    ({ priority, shutdownGracePeriodSeconds }) => ({
      priority,
      graceSeconds: shutdownGracePeriodSeconds,
    }),
  );
  if (byPriority.length > 0) {
    return byPriority.toSorted((left, right) => left.priority - right.priority);
  }
  const totalMs = durationMs(settings.shutdownGracePeriod);
  const criticalMs = durationMs(settings.shutdownGracePeriodCriticalPods);
  if (totalMs === 0) return [];
  return [
    { priority: 0, graceSeconds: Math.max(0, totalMs - criticalMs) / 1000 },
    { priority: criticalPriority, graceSeconds: criticalMs / 1000 },
  ];
}

/** Each group with its pods; a pod below all groups ends with the first. */
export function planShutdown(
  groups: readonly ShutdownGroup[],
  pods: readonly Pod[],
): readonly (ShutdownGroup & { readonly pods: readonly Pod[] })[] {
  const groupOf = (pod: Pod): ShutdownGroup | undefined =>
    groups.findLast(({ priority }) => priority <= (pod.spec?.priority ?? 0)) ?? groups[0];
  return groups.map((group) => ({ ...group, pods: pods.filter((pod) => groupOf(pod) === group) }));
}
