import type { Column, JsonObject } from "#api/kind.ts";
import { age, at, column, name, strings, text, unset, wide } from "#api/kinds/columns/cells.ts";

const volumeMode = wide(
  "VolumeMode",
  "File system or raw block device",
  (object) => text(object, "spec", "volumeMode") || unset,
);

const volumeAttributesClass = column(
  "VolumeAttributesClass",
  "Class of attributes that can change while the volume lives",
  (object) => text(object, "spec", "volumeAttributesClassName") || unset,
);

export const persistentVolumeColumns: readonly Column[] = [
  name,
  column(
    "Capacity",
    "Size of the volume",
    (volume) => text(volume, "spec", "capacity", "storage") || "0",
  ),
  column("Access Modes", "Ways the volume can be mounted", (volume) =>
    accessModes(strings(volume, "spec", "accessModes")),
  ),
  column("Reclaim Policy", "What becomes of the volume without its claim", (volume) =>
    text(volume, "spec", "persistentVolumeReclaimPolicy"),
  ),
  column("Status", "Phase of the volume", phase),
  column("Claim", "The claim that has the volume", (volume) => {
    const claim = at(volume, "spec", "claimRef");
    return claim === undefined ? "" : `${text(claim, "namespace")}/${text(claim, "name")}`;
  }),
  column("StorageClass", "Storage class of the volume", storageClass),
  volumeAttributesClass,
  column("Reason", "Why the volume is in this phase", (volume) => text(volume, "status", "reason")),
  age,
  volumeMode,
];

export const persistentVolumeClaimColumns: readonly Column[] = [
  name,
  column("Status", "Phase of the claim", phase),
  column("Volume", "The volume that serves the claim", (claim) =>
    text(claim, "spec", "volumeName"),
  ),
  column("Capacity", "Size of the bound volume", (claim) =>
    isBound(claim) ? text(claim, "status", "capacity", "storage") || "0" : "",
  ),
  column("Access Modes", "Ways the volume can be mounted", (claim) =>
    isBound(claim) ? accessModes(strings(claim, "status", "accessModes")) : "",
  ),
  column("StorageClass", "Storage class of the claim", storageClass),
  volumeAttributesClass,
  age,
  volumeMode,
];

function isBound(claim: JsonObject): boolean {
  return text(claim, "spec", "volumeName") !== "";
}

function phase(object: JsonObject): string {
  const isDeleted = at(object, "metadata", "deletionTimestamp") !== undefined;
  return isDeleted ? "Terminating" : text(object, "status", "phase");
}

/** The beta annotation, where it is set, goes before the field. */
function storageClass(object: JsonObject): string {
  const annotation = at(
    object,
    "metadata",
    "annotations",
    "volume.beta.kubernetes.io/storage-class",
  );
  return typeof annotation === "string" ? annotation : text(object, "spec", "storageClassName");
}

const modeLetters = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
] as const;

function accessModes(modes: readonly string[]): string {
  return modeLetters
    .filter(([mode]) => modes.includes(mode))
    .map(([, letters]) => letters)
    .join(",");
}
