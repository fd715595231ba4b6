import type { PersistentVolume, PersistentVolumeSpec } from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { checkAccessModes } from "#api/strategies/core/claim-spec.ts";
import { checkNodeSelector } from "#api/strategies/core/pod/affinity.ts";
import { checkNoBacksteps } from "#api/strategies/core/pod/local-path.ts";
import { checkHostPath, checkNfs } from "#api/strategies/core/pod/volumes.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { fillNetworkStorage } from "#api/strategies/core/storage-sources.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkOneOfIfSet,
  checkPositiveQuantity,
  checkRequired,
  checkSubdomainName,
} from "#api/validation/checks.ts";
import { checkImmutable, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { entriesOf, type Given, itemsOf, objectIn, setWhereUnset } from "#api/validation/given.ts";

type Spec = Given<PersistentVolumeSpec>;

export const persistentVolumeStrategy = strategyFor<PersistentVolume>({
  hasGeneration: false,
  fillDefaults(volume) {
    objectIn(volume, "status").phase ||= "Pending";
    const spec = objectIn(volume, "spec");
    setWhereUnset(spec, { persistentVolumeReclaimPolicy: "Retain" });
    spec.volumeMode ??= "Filesystem";
    roundAmounts(spec.capacity);
    if (spec.hostPath) spec.hostPath.type ??= "";
    fillNetworkStorage(spec);
  },
  prepareForCreate(volume) {
    volume.status = { phase: "Pending" };
  },
  validate: (root, volume) => checkVolume(root.child("spec"), volume.spec ?? {}),
  validateUpdate(root, volume, old) {
    const field = root.child("spec");
    const spec = volume.spec ?? {};
    const before = old.spec ?? {};
    if (!sameMeaning(sourceOf(spec), sourceOf(before))) {
      field
        .child("persistentvolumesource")
        .forbidden("spec.persistentvolumesource is immutable after creation");
    }
    checkImmutable(field.child("volumeMode"), spec.volumeMode, before.volumeMode);
    if (before.nodeAffinity) {
      checkImmutable(field.child("nodeAffinity"), spec.nodeAffinity, before.nodeAffinity);
    }
  },
});

const sourceless = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

function sourceOf(spec: Spec): object {
  return Object.fromEntries(
    Object.entries(spec).filter(([name, value]) => !sourceless.has(name) && Boolean(value)),
  );
}

function checkVolume(field: Field, spec: Spec): void {
  checkAccessModes(field.child("accessModes"), itemsOf(spec.accessModes));
  checkCapacity(field.child("capacity"), spec);
  checkOneOfIfSet(
    field.child("persistentVolumeReclaimPolicy"),
    spec.persistentVolumeReclaimPolicy,
    ["Delete", "Recycle", "Retain"],
  );
  checkOneOfIfSet(field.child("volumeMode"), spec.volumeMode, ["Block", "Filesystem"]);
  for (const name of ["storageClassName", "volumeAttributesClassName"] as const) {
    const value = spec[name];
    if (value) field.child(name).invalidAll(value, dns1123SubdomainProblems(value));
  }
  if (spec.nodeAffinity) {
    const at = field.child("nodeAffinity", "required");
    if (spec.nodeAffinity.required) checkNodeSelector(at, spec.nodeAffinity.required);
    else at.required("must specify required node constraints");
  }
  checkSource(field, spec);
}

function checkCapacity(field: Field, spec: Spec): void {
  const amounts = entriesOf(spec.capacity);
  if (amounts.length === 0) return field.required();
  const storage = spec.capacity?.["storage"];
  if (storage === undefined || amounts.length > 1) {
    return field.notSupported(spec.capacity, ["storage"]);
  }
  checkPositiveQuantity(field.key("storage"), storage);
}

function checkSource(field: Field, spec: Spec): void {
  const sources = Object.keys(sourceOf(spec));
  if (sources.length === 0) field.required("must specify a volume type");
  for (const name of sources.slice(1)) {
    field.child(name).forbidden("may not specify more than 1 volume type");
  }
  if (spec.hostPath) checkHostPath(field.child("hostPath"), spec.hostPath);
  if (spec.nfs) checkNfs(field.child("nfs"), spec.nfs);
  if (spec.csi) {
    checkSubdomainName(field.child("csi", "driver"), spec.csi.driver);
    checkRequired(field.child("csi", "volumeHandle"), spec.csi.volumeHandle);
  }
  if (!spec.local) return;
  const path = field.child("local", "path");
  if (checkRequired(path, spec.local.path)) checkNoBacksteps(path, spec.local.path ?? "");
  if (!spec.nodeAffinity) {
    field.child("nodeAffinity").required("Local volume requires node affinity");
  }
}
