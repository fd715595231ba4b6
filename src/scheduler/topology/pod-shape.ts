import type { Affinity, Pod } from "#api/generated/types.ts";
import type { Labels } from "#api/selector/label-requirement.ts";

/** What of a pod on a node matters to where other pods may go. All replicas of one template share one. */
export interface PodShape {
  /** Equal for pods that are equal in everything below. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** The controller it belongs to. */
  readonly ownerUid: string;
  readonly terminating: boolean;
  readonly affinity: Affinity | undefined;
}

export function podShapeOf({ metadata, spec }: Pod): PodShape {
  const { namespace = "", labels = {} } = metadata;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  const ownerUid = owner?.uid ?? "";
  const terminating = metadata.deletionTimestamp !== undefined;
  const affinity = towardsPods(spec?.affinity);
  const key = JSON.stringify([namespace, labels, ownerUid, terminating, affinity]);
  return { key, namespace, labels, ownerUid, terminating, affinity };
}

function towardsPods(affinity: Affinity | undefined): Affinity | undefined {
  return affinity?.podAffinity || affinity?.podAntiAffinity ? affinity : undefined;
}
