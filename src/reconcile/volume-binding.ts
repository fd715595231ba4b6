import type {
  ObjectReference,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { compareQuantities, readQuantity, type Quantity } from "#api/quantity.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";

/** Annotations of upstream's that say who bound what, and where. */
export const boundByController = "pv.kubernetes.io/bound-by-controller";
export const bindCompleted = "pv.kubernetes.io/bind-completed";
export const provisionedBy = "pv.kubernetes.io/provisioned-by";
export const selectedNode = "volume.kubernetes.io/selected-node";
export const storageProvisioner = "volume.kubernetes.io/storage-provisioner";
const betaStorageProvisioner = "volume.beta.kubernetes.io/storage-provisioner";
const betaClass = "volume.beta.kubernetes.io/storage-class";

export const provisionerAnnotations = [storageProvisioner, betaStorageProvisioner];

export function classNameOf(object: PersistentVolumeClaim | PersistentVolume): string {
  const beta = object.metadata.annotations?.[betaClass];
  return beta ?? object.spec?.storageClassName ?? "";
}

export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === "WaitForFirstConsumer";
}

/** Whether the volume is meant for this claim, and for no earlier one of the name. */
export function isMeantFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec?.claimRef;
  if (reference === undefined) return false;
  if (reference.name !== nameOf(claim) || reference.namespace !== namespaceOf(claim)) return false;
  return !reference.uid || reference.uid === claim.metadata.uid;
}

/**
 * The volume that is meant for the claim, or the smallest of those that satisfy it. A claim that waits for its pod is
 * given only what is meant for it.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  { delayed }: { readonly delayed: boolean },
): PersistentVolume | undefined {
  const satisfies = satisfaction(claim);
  let smallest: PersistentVolume | undefined;
  for (const volume of volumes) {
    const how = satisfies(volume);
    if (how === "meant") return volume;
    if (delayed || how === undefined) continue;
    if (!smallest || bySize(volume, smallest) < 0) smallest = volume;
  }
  return smallest;
}

/** The volumes a claim may be given, the smallest first; only the one that is meant for it where there is one. */
export function satisfyingVolumes(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
): readonly PersistentVolume[] {
  const satisfies = satisfaction(claim);
  const free: PersistentVolume[] = [];
  for (const volume of volumes) {
    const how = satisfies(volume);
    if (how === "meant") return [volume];
    if (how) free.push(volume);
  }
  return free.toSorted(bySize);
}

/** Smaller claims choose first, so that each gets the smallest volume that does. */
export function byRequest(one: PersistentVolumeClaim, other: PersistentVolumeClaim): number {
  return compareQuantities(requestOf(one), requestOf(other));
}

function satisfaction(
  claim: PersistentVolumeClaim,
): (volume: PersistentVolume) => "meant" | "free" | undefined {
  const matcher = claim.spec?.selector ? labelSelectorMatcher(claim.spec.selector) : undefined;
  return (volume) => {
    const reserved = volume.spec?.claimRef !== undefined;
    if (reserved && !isMeantFor(volume, claim)) return undefined;
    if (volume.metadata.deletionTimestamp || mismatchOf(volume, claim, { class: false })) {
      return undefined;
    }
    if (reserved) return "meant";
    if (volume.status?.phase !== "Available") return undefined;
    if (matcher && !matcher.matches(volume.metadata.labels)) return undefined;
    const fits = classNameOf(volume) === classNameOf(claim) && hasModes(volume, claim);
    return fits ? "free" : undefined;
  };
}

function bySize(one: PersistentVolume, other: PersistentVolume): number {
  return compareQuantities(capacityOf(one), capacityOf(other));
}

/** Why the volume cannot be this claim's, in upstream's words. */
export function mismatchOf(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
  check: { readonly class: boolean },
): string | undefined {
  if (compareQuantities(capacityOf(volume), requestOf(claim)) < 0) {
    return "requested PV is too small";
  }
  if (check.class && classNameOf(volume) !== classNameOf(claim)) {
    return "storageClassName does not match";
  }
  if ((volume.spec?.volumeMode ?? "Filesystem") !== (claim.spec?.volumeMode ?? "Filesystem")) {
    return "incompatible volumeMode";
  }
  const attributes = (spec: { readonly volumeAttributesClassName?: string } | undefined): string =>
    spec?.volumeAttributesClassName ?? "";
  if (attributes(volume.spec) !== attributes(claim.spec)) {
    return "volumeAttributesClassName does not match";
  }
  return check.class && !hasModes(volume, claim) ? "incompatible accessMode" : undefined;
}

function hasModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const modes = volume.spec?.accessModes ?? [];
  return (claim.spec?.accessModes ?? []).every((mode) => modes.includes(mode));
}

function requestOf(claim: PersistentVolumeClaim): Quantity {
  return quantityOf(claim.spec?.resources?.requests?.["storage"]);
}

function capacityOf(volume: PersistentVolume): Quantity {
  return quantityOf(volume.spec?.capacity?.["storage"]);
}

function quantityOf(text: string | undefined): Quantity {
  const quantity = readQuantity(text ?? "0");
  return typeof quantity === "string" ? { nano: 0n, format: "decimal" } : quantity;
}

/** The volume, bound to the claim; the same one where it already is. */
export function boundVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
): PersistentVolume {
  const reference = volume.spec?.claimRef;
  if (reference?.uid === claim.metadata.uid && reference !== undefined) return volume;
  const mine = reference === undefined && { [boundByController]: "yes" };
  return {
    ...volume,
    metadata: {
      ...volume.metadata,
      ...(mine && { annotations: { ...volume.metadata.annotations, ...mine } }),
    },
    spec: { ...volume.spec, claimRef: { ...reference, ...referenceTo(claim) } },
  };
}

function referenceTo(claim: PersistentVolumeClaim): ObjectReference {
  const { uid = "", resourceVersion = "" } = claim.metadata;
  const name = nameOf(claim);
  const at = { namespace: namespaceOf(claim), name, uid, resourceVersion };
  return { kind: "PersistentVolumeClaim", apiVersion: "v1", ...at };
}

/** The claim, bound to the volume; the same one where it already is. */
export function boundClaim(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume,
): PersistentVolumeClaim {
  const mine = claim.spec?.volumeName === undefined || claim.spec.volumeName === "";
  const known = claim.metadata.annotations ?? {};
  if (!mine && known[bindCompleted] !== undefined) return claim;
  const annotations = {
    ...known,
    ...(mine && { [boundByController]: "yes" }),
    [bindCompleted]: "yes",
  };
  return {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: nameOf(volume) },
  };
}
