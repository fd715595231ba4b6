import type { Pod } from "#api/generated/types.ts";
import { podAmount } from "#agent/pods/pod-amounts.ts";
import type { Signal } from "#agent/eviction/thresholds.ts";
import { ephemeralOf } from "#agent/stats/summary.ts";
import type { PodUsage } from "#agent/stats/usage.ts";

/**
 * The order in which pods are evicted, as upstream's: who takes more than it asked for, then who matters least
 * (priority), then who takes most beyond its request. Short of process ids, only priority and their number count. A pod
 * of which nothing is known comes first.
 */
export function rankPods(
  pods: readonly Pod[],
  usages: readonly PodUsage[],
  signal: Signal,
): readonly Pod[] {
  const byUid = new Map(usages.map((usage) => [usage.pod.metadata.uid, usage]));
  const ranked = pods.map((pod) => {
    const usage = byUid.get(pod.metadata.uid);
    return { pod, known: usage !== undefined, ...excessOf(pod, usage, signal) };
  });
  return ranked
    .toSorted(
      (left, right) =>
        Number(left.known) - Number(right.known) ||
        Number(right.exceeds) - Number(left.exceeds) ||
        priorityOf(left.pod) - priorityOf(right.pod) ||
        right.beyond - left.beyond,
    )
    .map(({ pod }) => pod);
}

/** Pods without which the cluster does not work are never evicted. */
export function isCritical(pod: Pod): boolean {
  const annotations = pod.metadata.annotations ?? {};
  const isStatic = annotations["kubernetes.io/config.source"] !== undefined;
  return (
    isStatic ||
    annotations["kubernetes.io/config.mirror"] !== undefined ||
    priorityOf(pod) >= systemPriority
  );
}

const systemPriority = 2_000_000_000;

function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}

interface Excess {
  readonly exceeds: boolean;
  readonly beyond: number;
}

function excessOf(pod: Pod, usage: PodUsage | undefined, signal: Signal): Excess {
  if (usage === undefined) return { exceeds: true, beyond: 0 };
  if (signal === "pid.available") return { exceeds: false, beyond: usage.processes ?? 0 };
  const request = (resource: string): number =>
    Number(podAmount(pod, "requests", resource) ?? 0n) / 1e9;
  if (signal === "memory.available") {
    const used = usage.memory.workingSetBytes;
    return { exceeds: used > request("memory"), beyond: used - request("memory") };
  }
  const { usedBytes, inodesUsed } = ephemeralOf(usage);
  if (signal.endsWith("inodesFree")) return { exceeds: inodesUsed > 0, beyond: inodesUsed };
  const asked = request("ephemeral-storage");
  return { exceeds: usedBytes > asked, beyond: usedBytes - asked };
}
