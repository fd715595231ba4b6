import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from "#api/generated/types.ts";
import { messageOf } from "#base/log.ts";
import { matchesTerm } from "#reconcile/node-selector.ts";
import type { PersistentObjects } from "#agent/volumes/persistent-objects.ts";
import { mountsOf, type VolumeSpec } from "#agent/volumes/volume-plugin.ts";

const protection = "kubernetes.io/pvc-protection";

/** What a pod's volume is: itself, or the persistent volume behind its claim. Rejects with upstream's words. */
export async function resolveVolume(
  objects: PersistentObjects,
  pod: Pod,
  volume: Volume,
): Promise<VolumeSpec> {
  const claimName = claimNameOf(pod, volume);
  if (claimName === undefined) return { volume, readOnly: false };
  const namespace = pod.metadata.namespace ?? "";
  const wanted = volume.persistentVolumeClaim;
  let found: { readonly claim: PersistentVolumeClaim; readonly persistent: PersistentVolume };
  try {
    found = await readBound(objects, namespace, claimName);
  } catch (cause) {
    const text = `error processing PVC ${namespace}/${claimName}: ${textOf(cause)}`;
    throw new Error(text, { cause });
  }
  const { claim, persistent } = found;
  if (volume.ephemeral) checkOwner(pod, claim);
  checkMode(pod, volume.name, persistent);
  const modes = claim.spec?.accessModes ?? [];
  const onlyReads = modes.length > 0 && modes.every((mode) => mode === "ReadOnlyMany");
  return { volume, persistent, readOnly: (wanted?.readOnly ?? false) || onlyReads };
}

/** The claim that a pod's volume shows; that of an ephemeral one has the pod's name and its own. */
export function claimNameOf(pod: Pod, volume: Volume): string | undefined {
  if (volume.ephemeral) return `${pod.metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

/** Why the volume cannot be had on this node, in upstream's words. */
export async function affinityProblem(
  objects: PersistentObjects,
  { persistent }: VolumeSpec,
): Promise<string | undefined> {
  const terms = persistent?.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined) return undefined;
  const node = await objects.node();
  return terms.some((term) => matchesTerm(term, node))
    ? undefined
    : "no matching NodeSelectorTerms";
}

async function readBound(objects: PersistentObjects, namespace: string, claimName: string) {
  const claim = await objects.claim(namespace, claimName).catch((cause: unknown) => {
    throw new Error(`failed to fetch PVC from API server: ${textOf(cause)}`, { cause });
  });
  const { deletionTimestamp, finalizers = [], uid } = claim.metadata;
  if (deletionTimestamp && !finalizers.includes(protection))
    throw new Error("PVC is being deleted");
  if (claim.status?.phase !== "Bound") throw new Error("PVC is not bound");
  const { volumeName = "" } = claim.spec ?? {};
  if (volumeName === "") throw new Error("PVC has empty pvc.Spec.VolumeName");
  const persistent = await objects.volume(volumeName).catch((cause: unknown) => {
    const text = `failed to fetch PV ${volumeName} from API server: ${textOf(cause)}`;
    throw new Error(text, { cause });
  });
  const reference = persistent.spec?.claimRef;
  const found = `found PV object ${volumeName} but`;
  if (reference === undefined) {
    throw new Error(
      `${found} it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
    );
  }
  if (reference.uid !== uid) {
    throw new Error(
      `${found} its pv.Spec.ClaimRef.UID ${reference.uid} does not point to claim.UID ${uid}`,
    );
  }
  return { claim, persistent };
}

/** The message alone: causes are part of it already where they matter. */
function textOf(error: unknown): string {
  return error instanceof Error ? error.message : messageOf(error);
}

function checkOwner(pod: Pod, claim: PersistentVolumeClaim): void {
  const { name, namespace, uid, ownerReferences = [] } = claim.metadata;
  if (ownerReferences.some((owner) => owner.controller && owner.uid === pod.metadata.uid)) return;
  const whose = `pod ${pod.metadata.namespace}/${pod.metadata.name} (uid ${pod.metadata.uid})`;
  throw new Error(
    `PVC ${namespace}/${name} (uid ${uid}) was not created for ${whose} (pod is not owner)`,
  );
}

/** A volume that is a device is no directory, and the other way round. */
function checkMode(pod: Pod, name: string, { spec }: PersistentVolume): void {
  const mode = spec?.volumeMode ?? "Filesystem";
  if (mode !== "Filesystem" && mountsOf(pod, name).length > 0) {
    throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeMounts`);
  }
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const devices = [...containers, ...initContainers].flatMap(
    ({ volumeDevices = [] }) => volumeDevices,
  );
  if (mode !== "Block" && devices.some((device) => device.name === name)) {
    throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeDevices`);
  }
}
