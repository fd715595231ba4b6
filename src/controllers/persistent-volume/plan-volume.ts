import type { PersistentVolume, PersistentVolumeClaim } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { boundByController, provisionedBy } from "#reconcile/volume-binding.ts";

export type VolumeAction =
  | { readonly kind: "phase"; readonly phase: "Available" | "Bound" | "Released" }
  /** Its claim is bound elsewhere: it is free for others, or again reserved for the one it names. */
  | { readonly kind: "unbind"; readonly volume: PersistentVolume }
  | { readonly kind: "reclaim"; readonly policy: string }
  /** The claim's turn. */
  | { readonly kind: "claim" };

/** What becomes of a volume; `claim` is the one of its reference, under the same uid. */
export function planVolume(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim | undefined,
): VolumeAction {
  const reference = volume.spec?.claimRef;
  if (!reference?.uid) return { kind: "phase", phase: "Available" };
  if (claim === undefined) return planReleased(volume);
  const chosen = claim.spec?.volumeName ?? "";
  if (chosen === "") return { kind: "claim" };
  if (chosen === nameOf(volume)) return { kind: "phase", phase: "Bound" };
  const isProvisioned = volume.metadata.annotations?.[provisionedBy] !== undefined;
  if (isProvisioned && volume.spec?.persistentVolumeReclaimPolicy === "Delete") {
    return planReleased(volume);
  }
  return { kind: "unbind", volume: unbound(volume) };
}

function planReleased(volume: PersistentVolume): VolumeAction {
  const phase = volume.status?.phase;
  if (phase !== "Released" && phase !== "Failed") return { kind: "phase", phase: "Released" };
  return { kind: "reclaim", policy: volume.spec?.persistentVolumeReclaimPolicy ?? "Retain" };
}

function unbound(volume: PersistentVolume): PersistentVolume {
  const { claimRef, ...spec } = volume.spec ?? {};
  const { [boundByController]: mine, ...annotations } = volume.metadata.annotations ?? {};
  if (mine !== undefined) {
    return { ...volume, metadata: { ...volume.metadata, annotations }, spec };
  }
  const { uid: _uid, resourceVersion: _version, ...reserved } = claimRef ?? {};
  return { ...volume, spec: { ...spec, claimRef: reserved } };
}
