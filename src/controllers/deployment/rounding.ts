import type { Deployment } from "#api/generated/types.ts";

/** Pods beyond the wanted number that a rolling update may make: percentages are rounded up. */
export function maxSurgeOf(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? fencePosts(deployment).surge : 0;
}

/** Pods that may be missing during a rolling update: percentages are rounded down. */
export function maxUnavailableOf(deployment: Deployment): number {
  if (!isRollingUpdate(deployment) || wantedReplicas(deployment) === 0) return 0;
  return Math.min(fencePosts(deployment).unavailable, wantedReplicas(deployment));
}

export function wantedReplicas(deployment: Deployment): number {
  return deployment.spec?.replicas ?? 1;
}

export function isRollingUpdate(deployment: Deployment): boolean {
  return (deployment.spec?.strategy?.type ?? "RollingUpdate") === "RollingUpdate";
}

/** A number, or a share of `total`. */
export function resolveShare(
  value: number | string | undefined,
  total: number,
  round: (share: number) => number,
): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value ?? "")?.[1];
  return percent === undefined ? 0 : round((Number(percent) * total) / 100);
}

/** Neither may both be zero: then nothing could move. */
function fencePosts(deployment: Deployment): { surge: number; unavailable: number } {
  const total = wantedReplicas(deployment);
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const surge = resolveShare(rolling?.maxSurge, total, Math.ceil);
  const unavailable = resolveShare(rolling?.maxUnavailable, total, Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}
