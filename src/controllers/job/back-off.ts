import type { Pod } from "#api/generated/types.ts";

const backOffMinMs = 10_000;
const backOffMaxMs = 600_000;
/** By so much a node's clock may be ahead of this one. */
const skewMaxMs = backOffMinMs;

/**
 * After failures, the next pod waits: 10 s, doubled with each failure since the last success. What seems to have ended
 * later than now ended before the clock was put back: it is not waited for.
 */
export function backOffMs(pods: readonly Pod[], nowMs: number): number {
  const past = (endMs: number): boolean => endMs <= nowMs + skewMaxMs;
  const lastSuccessMs = Math.max(0, ...endsOf(pods, "Succeeded").filter(past));
  const failures = endsOf(pods, "Failed").filter((endMs) => endMs > lastSuccessMs && past(endMs));
  if (failures.length === 0) return 0;
  const delayMs = Math.min(backOffMinMs * 2 ** (failures.length - 1), backOffMaxMs);
  return Math.max(0, Math.max(...failures) + delayMs - nowMs);
}

function endsOf(pods: readonly Pod[], phase: string): readonly number[] {
  return pods
    .filter(({ status }) => status?.phase === phase)
    .map(({ metadata, status }) => {
      const ends = (status?.containerStatuses ?? []).map(({ state }) =>
        Date.parse(state?.terminated?.finishedAt ?? ""),
      );
      const known = ends.filter((endMs) => !Number.isNaN(endMs));
      return known.length > 0
        ? Math.max(...known)
        : Date.parse(metadata.creationTimestamp ?? "") || 0;
    });
}
