import type { DeviceTaint, DeviceToleration } from "#api/generated/types.ts";
import {
  addedAtMs,
  evictionAt,
  type Eviction,
  type EvictionTimes,
} from "#controllers/taint-eviction/plan-eviction.ts";
import { toleratesDeviceTaint } from "#reconcile/device-taints.ts";

/** A device that a pod has, as far as it can cost the pod its life. */
export interface TaintedUse {
  readonly taints: readonly DeviceTaint[];
  /** What the claim's request tolerates. */
  readonly tolerations: readonly DeviceToleration[];
}

/** How long a pod may keep these devices; only taints with the effect NoExecute matter. */
export function planDeviceEviction(uses: readonly TaintedUse[], times: EvictionTimes): Eviction {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const { taints, tolerations } of uses) {
    for (const taint of taints.filter(isEvicting)) {
      const toleratedMs = toleratedForMs(taint, tolerations);
      untilMs = Math.min(untilMs, addedAtMs(taint, times) + toleratedMs);
    }
  }
  return evictionAt(untilMs, times);
}

export function isEvicting({ effect }: DeviceTaint): boolean {
  return effect === "NoExecute";
}

/** The shortest time counts, unless one has no end; seconds are ignored where the effect is not named. */
function toleratedForMs(taint: DeviceTaint, tolerations: readonly DeviceToleration[]): number {
  const matching = tolerations.filter((toleration) => toleratesDeviceTaint(toleration, taint));
  if (matching.length === 0) return 0;
  const times = matching.map(({ effect, tolerationSeconds = Number.POSITIVE_INFINITY }) =>
    effect === "NoExecute" ? Math.max(0, tolerationSeconds) * 1000 : Number.POSITIVE_INFINITY,
  );
  return times.includes(Number.POSITIVE_INFINITY) ? Number.POSITIVE_INFINITY : Math.min(...times);
}
