import type { Deployment, ReplicaSet } from "#api/generated/types.ts";
import { maxSurgeOf, wantedReplicas } from "#controllers/deployment/rounding.ts";

export const revisionAnnotation = "deployment.kubernetes.io/revision";
const historyAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";

type Annotations = Readonly<Record<string, string>>;

/** The revision that `kubectl rollout history` shows, a 64-bit integer; 0 where none is noted. */
export function revisionOf(replicaSet: ReplicaSet): bigint {
  return parsedRevision(replicaSet.metadata.annotations?.[revisionAnnotation]);
}

export function nextRevision(olds: readonly ReplicaSet[]): bigint {
  const newest = olds.map(revisionOf).reduce((one, other) => (one > other ? one : other), 0n);
  return newest + 1n;
}

function parsedRevision(text = ""): bigint {
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/**
 * The annotations of the newest ReplicaSet: the Deployment's, save those that are a ReplicaSet's own, and its
 * revision. An older ReplicaSet that becomes the newest again keeps its former revisions as history.
 */
export function newestAnnotations(
  deployment: Deployment,
  current: Annotations,
  revision: bigint,
): Annotations {
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([key]) => !ownAnnotations.has(key),
  );
  const annotations: Record<string, string> = { ...current, ...Object.fromEntries(copied) };
  const before = current[revisionAnnotation];
  if (parsedRevision(before) >= revision) return annotations;
  annotations[revisionAnnotation] = String(revision);
  if (before !== undefined) {
    const history = historyWith(current[historyAnnotation] ?? "", before);
    if (history !== undefined) annotations[historyAnnotation] = history;
  }
  return annotations;
}

/** What tells a scaling apart from a rollout: for how many replicas the ReplicaSet was last sized. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const wanted = wantedReplicas(deployment);
  return {
    [desiredAnnotation]: String(wanted),
    [maxAnnotation]: String(wanted + maxSurgeOf(deployment)),
  };
}

export function annotatedCount(replicaSet: ReplicaSet, annotation: string): number | undefined {
  const text = replicaSet.metadata.annotations?.[annotation] ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

const ownAnnotations: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

const historyMaxCharacters = 2000;

/** The history with one more revision; the oldest make room. */
function historyWith(history: string, revision: string): string | undefined {
  const revisions = history === "" ? [] : history.split(",");
  revisions.push(revision);
  while (revisions.join(",").length > historyMaxCharacters) revisions.shift();
  return revisions.length === 0 ? undefined : revisions.join(",");
}
