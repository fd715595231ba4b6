import type { PersistentVolumeClaimSpec, TypedLocalObjectReference } from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { checkOneOfIfSet, checkPositiveQuantity, checkRequired } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/** What a claim asks for, be it a claim, a template of a stateful set or an ephemeral volume. */
export function checkClaimSpec(field: Field, spec: Given<PersistentVolumeClaimSpec>): void {
  checkAccessModes(field.child("accessModes"), itemsOf(spec.accessModes));
  if (spec.selector) checkLabelSelector(field.child("selector"), spec.selector);
  const storage = field.child("resources").key("storage");
  const requested = spec.resources?.requests?.["storage"];
  if (requested === undefined || requested === null) storage.required();
  else checkPositiveQuantity(storage, requested);
  for (const name of ["storageClassName", "volumeAttributesClassName"] as const) {
    const value = spec[name];
    if (value) field.child(name).invalidAll(value, dns1123SubdomainProblems(value));
  }
  checkOneOfIfSet(field.child("volumeMode"), spec.volumeMode, ["Block", "Filesystem"]);
  if (spec.dataSource) checkSource(field.child("dataSource"), spec.dataSource);
  if (spec.dataSourceRef) checkSource(field.child("dataSourceRef"), spec.dataSourceRef);
}

export function checkAccessModes(field: Field, modes: readonly string[]): void {
  if (modes.length === 0) field.required("at least 1 access mode is required");
  for (const mode of modes) {
    if (!accessModes.includes(mode)) field.notSupported(mode, accessModes);
  }
  if (modes.includes("ReadWriteOncePod") && modes.length > 1) {
    field.forbidden("may not use ReadWriteOncePod with other access modes");
  }
}

function checkSource(field: Field, source: Given<TypedLocalObjectReference>): void {
  checkRequired(field.child("name"), source.name);
  checkRequired(field.child("kind"), source.kind);
  if (!source.apiGroup && source.kind && source.kind !== "PersistentVolumeClaim") {
    field.invalid(
      source.kind,
      "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
    );
  }
}
