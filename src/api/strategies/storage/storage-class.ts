import type { StorageClass, VolumeAttributesClass } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, itemsOf } from "#api/validation/given.ts";
import { byteLength } from "#api/names.ts";

const parametersMax = 512;
const parametersMaxBytes = 256 * 1024;

export const storageClassStrategy = strategyFor<StorageClass>({
  hasGeneration: false,
  fillDefaults(storageClass) {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  },
  validate(root, storageClass) {
    checkProvisioner(root.child("provisioner"), storageClass.provisioner ?? "");
    checkParameters(root.child("parameters"), storageClass.parameters, { required: false });
    checkOneOf(root.child("reclaimPolicy"), storageClass.reclaimPolicy, ["Delete", "Retain"]);
    checkOneOf(root.child("volumeBindingMode"), storageClass.volumeBindingMode, [
      "Immediate",
      "WaitForFirstConsumer",
    ]);
    for (const [index, term] of itemsOf(storageClass.allowedTopologies).entries()) {
      const at = root.child("allowedTopologies").index(index).child("matchLabelExpressions");
      for (const [nth, requirement] of itemsOf(term.matchLabelExpressions).entries()) {
        const { key = "", values } = requirement;
        if (itemsOf(values).length === 0) at.index(nth).child("values").required();
        at.index(nth)
          .child("key")
          .invalidAll(key ?? "", qualifiedNameProblems(key ?? ""));
        checkUnique(
          itemsOf(values),
          (value) => value,
          (place, value) => at.index(nth).child("values").index(place).duplicate(value),
        );
      }
    }
  },
  validateUpdate(root, storageClass, old) {
    if (!sameMeaning(storageClass.parameters, old.parameters)) {
      root.child("parameters").forbidden("updates to parameters are forbidden.");
    }
    if (storageClass.provisioner !== old.provisioner) {
      root.child("provisioner").forbidden("updates to provisioner are forbidden.");
    }
    if (storageClass.reclaimPolicy !== old.reclaimPolicy) {
      root.child("reclaimPolicy").forbidden("updates to reclaimPolicy are forbidden.");
    }
    checkImmutable(
      root.child("volumeBindingMode"),
      storageClass.volumeBindingMode,
      old.volumeBindingMode,
    );
  },
});

export const volumeAttributesClassStrategy = strategyFor<VolumeAttributesClass>({
  hasGeneration: false,
  validate(root, attributesClass) {
    checkProvisioner(root.child("driverName"), attributesClass.driverName ?? "");
    checkParameters(root.child("parameters"), attributesClass.parameters, { required: true });
  },
  validateUpdate(root, attributesClass, old) {
    if (attributesClass.driverName !== old.driverName) {
      root.child("driverName").forbidden("updates to driverName are forbidden.");
    }
    if (!sameMeaning(attributesClass.parameters, old.parameters)) {
      root.child("parameters").forbidden("updates to parameters are forbidden.");
    }
  },
});

function checkProvisioner(field: Field, name: string): void {
  if (name === "") field.required();
  else field.invalidAll(name, qualifiedNameProblems(name.toLowerCase()));
}

function checkParameters(
  field: Field,
  parameters: { readonly [key: string]: string } | null | undefined,
  { required }: { required: boolean },
): void {
  const entries = entriesOf(parameters);
  if (required && entries.length === 0) {
    field.required("must contain at least one key/value pair");
  }
  if (entries.length > parametersMax) field.tooLong(parametersMax);
  let sizeBytes = 0;
  for (const [key, value] of entries) {
    if (key === "") field.invalid(key, "field can not be empty.");
    sizeBytes += byteLength(key) + byteLength(value ?? "");
  }
  if (sizeBytes > parametersMaxBytes) field.tooLong(parametersMaxBytes);
}
