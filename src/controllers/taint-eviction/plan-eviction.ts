import type { Pod, Taint } from "#api/generated/types.ts";
import { tolerates } from "#reconcile/taints.ts";

export type Eviction =
  | { readonly kind: "stay" }
  | { readonly kind: "evict" }
  | { readonly kind: "wait"; readonly waitMs: number };

export interface EvictionTimes {
  readonly nowMs: number;
  /** When taints that do not say it themselves were first seen. */
  readonly sinceMs: number;
}

/** How long a pod may stay on a node with these taints; only those with the effect NoExecute matter. */
export function planEviction(pod: Pod, taints: readonly Taint[], times: EvictionTimes): Eviction {
  const evicting = taints.filter(({ effect }) => effect === "NoExecute");
  const tolerations = pod.spec?.tolerations ?? [];
  let untilMs = Number.POSITIVE_INFINITY;
  for (const taint of evicting) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return { kind: "evict" };
    const addedMs = addedAtMs(taint, times);
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue;
      untilMs = Math.min(untilMs, addedMs + Math.max(0, tolerationSeconds) * 1000);
    }
  }
  return evictionAt(untilMs, times);
}

export function addedAtMs(
  { timeAdded }: { readonly timeAdded?: string },
  { sinceMs }: EvictionTimes,
): number {
  return timeAdded ? Date.parse(timeAdded) : sinceMs;
}

/** The eviction of a pod that may stay until then: for ever when that is infinite. */
export function evictionAt(untilMs: number, { nowMs }: EvictionTimes): Eviction {
  if (untilMs === Number.POSITIVE_INFINITY) return { kind: "stay" };
  return untilMs <= nowMs ? { kind: "evict" } : { kind: "wait", waitMs: untilMs - nowMs };
}
