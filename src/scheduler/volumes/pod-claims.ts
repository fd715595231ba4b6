import type { PersistentVolumeClaim, Pod, StorageClass } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import {
  bindCompleted,
  byRequest,
  classNameOf,
  waitsForConsumer,
} from "#reconcile/volume-binding.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

/** A pod's claims by what is to be done for them. */
export interface PodClaims {
  /** They have a volume. */
  readonly bound: readonly PersistentVolumeClaim[];
  /** They get one on the node that is chosen for the pod. The smallest first. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

/** The claims of the pod; a text where the pod cannot be placed as they are. Upstream's words. */
export function podClaims(pod: Pod, storage: Storage): PodClaims | string | undefined {
  const bound: PersistentVolumeClaim[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  let immediate = false;
  for (const { name, ephemeral, persistentVolumeClaim } of pod.spec?.volumes ?? []) {
    const claimName = ephemeral ? `${nameOf(pod)}-${name}` : persistentVolumeClaim?.claimName;
    if (claimName === undefined) continue;
    const claim = storage.claim(`${namespaceOf(pod)}/${claimName}`);
    const problem = problemOf(claim, {
      name: claimName,
      pod,
      isEphemeral: ephemeral !== undefined,
    });
    if (problem !== undefined || claim === undefined) return problem;
    if (isBound(claim)) bound.push(claim);
    else if (!claim.spec?.volumeName && waitsForConsumer(classOf(claim, storage))) {
      delayed.push(claim);
    } else immediate = true;
  }
  if (immediate) return "pod has unbound immediate PersistentVolumeClaims";
  if (bound.length + delayed.length === 0) return undefined;
  return { bound, delayed: delayed.toSorted(byRequest) };
}

export function isBound({ metadata, spec }: PersistentVolumeClaim): boolean {
  return Boolean(spec?.volumeName) && metadata.annotations?.[bindCompleted] !== undefined;
}

export function classOf(claim: PersistentVolumeClaim, storage: Storage): StorageClass | undefined {
  return storage.storageClass(classNameOf(claim));
}

interface Used {
  readonly name: string;
  readonly pod: Pod;
  readonly isEphemeral: boolean;
}

function problemOf(
  claim: PersistentVolumeClaim | undefined,
  { name, pod, isEphemeral }: Used,
): string | undefined {
  if (claim === undefined) {
    return isEphemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
      : `persistentvolumeclaim "${name}" not found`;
  }
  if (claim.status?.phase === "Lost") {
    const volume = claim.spec?.volumeName ?? "";
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volume}"`;
  }
  if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim "${name}" is being deleted`;
  const owners = claim.metadata.ownerReferences ?? [];
  if (
    isEphemeral &&
    !owners.some(({ uid, controller }) => controller && uid === pod.metadata.uid)
  ) {
    const at = `${namespaceOf(pod)}/`;
    return `PVC ${at}${name} was not created for pod ${at}${nameOf(pod)} (pod is not owner)`;
  }
  return undefined;
}
