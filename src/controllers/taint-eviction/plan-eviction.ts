import type { Pod, Taint } from "#api/generated/types.ts";
import { tolerates } from "#reconcile/taints.ts";

export type Eviction =
  | { readonly kind: "stay" }
  | { readonly kind: "evict" }
  | { readonly kind: "wait"; readonly waitMs: number };

/** How long a pod may stay on a node with these taints; only those with the effect NoExecute matter. */
export function planEviction(pod: Pod, taints: readonly Taint[], nowMs: number): Eviction {
  const evicting = taints.filter(({ effect }) => effect === "NoExecute");
  const tolerations = pod.spec?.tolerations ?? [];
  let untilMs = Number.POSITIVE_INFINITY;
  for (const taint of evicting) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return { kind: "evict" };
    const addedMs = taint.timeAdded ? Date.parse(taint.timeAdded) : nowMs;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue;
      untilMs = Math.min(untilMs, addedMs + Math.max(0, tolerationSeconds) * 1000);
    }
  }
  if (untilMs === Number.POSITIVE_INFINITY) return { kind: "stay" };
  return untilMs <= nowMs ? { kind: "evict" } : { kind: "wait", waitMs: untilMs - nowMs };
}
