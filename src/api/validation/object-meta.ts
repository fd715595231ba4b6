import type { ObjectMeta, OwnerReference, StatusCause } from "#api/generated/types.ts";
import type { NameRule } from "#api/kind.ts";
import { byteLength, dns1123LabelProblems, nameProblems, prefixProblems } from "#api/names.ts";
import { checkNonNegative } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, itemsOf } from "#api/validation/given.ts";
import { checkLabels } from "#api/validation/labels.ts";

const annotationsMaxBytes = 256 * 1024;
const managerMaxBytes = 128;

export interface MetaRules {
  readonly namespaced: boolean;
  readonly nameRule: NameRule;
}

type Meta = Given<ObjectMeta>;

/** What is wrong with the metadata of an object of any kind, its name already generated. */
export function validateObjectMeta(
  object: { readonly metadata?: unknown },
  rules: MetaRules,
): readonly StatusCause[] {
  return causesOf((root) => {
    const meta = (object.metadata ?? {}) as Meta;
    const field = root.child("metadata");
    checkName(field, meta, rules.nameRule);
    checkNamespace(field.child("namespace"), meta.namespace, rules.namespaced);
    checkNonNegative(field.child("generation"), meta.generation);
    checkChangeable(field, meta);
    checkManagedFields(field.child("managedFields"), meta);
  });
}

/**
 * What an update of an object of any kind may not do to its metadata. The server is expected to have filled in
 * what a client may leave out (uid, creation time, resource version of an unconditional update).
 */
export function validateObjectMetaUpdate(
  object: { readonly metadata?: unknown },
  old: { readonly metadata?: unknown },
): readonly StatusCause[] {
  return causesOf((root) => {
    const meta = (object.metadata ?? {}) as Meta;
    const before = (old.metadata ?? {}) as Meta;
    const field = root.child("metadata");
    if (before.deletionTimestamp) checkNoNewFinalizers(field.child("finalizers"), meta, before);
    if (!meta.resourceVersion) {
      field.child("resourceVersion").invalid("", "must be specified for an update");
    }
    if ((meta.generation ?? 0) < (before.generation ?? 0)) {
      field.child("generation").invalid(meta.generation ?? 0, "must not be decremented");
    }
    for (const name of fixedFields) checkImmutable(field.child(name), meta[name], before[name]);
    checkChangeable(field, meta);
    checkManagedFields(field.child("managedFields"), meta);
  });
}

const fixedFields = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

function checkName(field: Field, meta: Meta, rule: NameRule): void {
  if (meta.generateName) {
    const problems = prefixProblems(rule, meta.generateName);
    field.child("generateName").invalidAll(meta.generateName, problems);
  }
  if (meta.name) field.child("name").invalidAll(meta.name, nameProblems(rule, meta.name));
  else field.child("name").required("name or generateName is required");
}

function checkNamespace(field: Field, namespace: Meta["namespace"], namespaced: boolean): void {
  if (!namespaced && namespace) field.forbidden("not allowed on this type");
  if (!namespaced) return;
  if (namespace) field.invalidAll(namespace, dns1123LabelProblems(namespace));
  else field.required();
}

function checkChangeable(field: Field, meta: Meta): void {
  checkLabels(field.child("labels"), meta.labels as { [key: string]: string } | undefined);
  checkAnnotations(field.child("annotations"), meta);
  checkOwnerReferences(field.child("ownerReferences"), itemsOf(meta.ownerReferences));
  checkFinalizers(field.child("finalizers"), itemsOf(meta.finalizers));
}

/** Also for pod templates, whose metadata are labels and annotations. */
export function checkAnnotations(field: Field, meta: Meta): void {
  let sizeBytes = 0;
  for (const [key, value] of entriesOf(meta.annotations)) {
    field.invalidAll(key, qualifiedNameProblems(key.toLowerCase()));
    sizeBytes += byteLength(key) + byteLength(value ?? "");
  }
  if (sizeBytes > annotationsMaxBytes) field.tooLong(annotationsMaxBytes);
}

function checkOwnerReferences(field: Field, owners: readonly Given<OwnerReference>[]): void {
  for (const owner of owners) checkOwner(field, owner);
  const [first, second] = owners
    .filter((owner) => owner.controller)
    .map((owner) => `${owner.kind}/${owner.name}`);
  if (second !== undefined) {
    field.invalid(
      owners,
      `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`,
    );
  }
}

function checkOwner(field: Field, owner: Given<OwnerReference>): void {
  const apiVersion = owner.apiVersion ?? "";
  if (apiVersion === "" || apiVersion.split("/").length > 2 || apiVersion.endsWith("/")) {
    field.child("apiVersion").invalid(apiVersion, "version must not be empty");
  }
  for (const name of ["kind", "name", "uid"] as const) {
    if (!owner[name]) field.child(name).invalid("", "must not be empty");
  }
  if (apiVersion === "v1" && owner.kind === "Event") {
    field.invalid(owner, "/v1, Kind=Event is disallowed from being an owner");
  }
}

function checkFinalizers(field: Field, finalizers: readonly string[]): void {
  for (const finalizer of finalizers) {
    field.invalidAll(finalizer, qualifiedNameProblems(finalizer));
  }
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    field.invalid(finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
  }
}

function checkNoNewFinalizers(field: Field, meta: Meta, before: Meta): void {
  const known = new Set(itemsOf(before.finalizers));
  const added = itemsOf(meta.finalizers).filter((finalizer) => !known.has(finalizer));
  if (added.length === 0) return;
  const names = added
    .toSorted()
    .map((name) => JSON.stringify(name))
    .join(", ");
  field.forbidden(
    `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names}}`,
  );
}

function checkManagedFields(field: Field, meta: Meta): void {
  for (const [index, entry] of itemsOf(meta.managedFields).entries()) {
    const at = field.index(index);
    const operation = entry.operation ?? "";
    if (operation !== "Apply" && operation !== "Update") {
      at.child("operation").invalid(operation, "must be `Apply` or `Update`");
    }
    if (entry.fieldsType && entry.fieldsType !== "FieldsV1") {
      at.child("fieldsType").invalid(entry.fieldsType, "must be `FieldsV1`");
    }
    if (byteLength(entry.manager ?? "") > managerMaxBytes)
      at.child("manager").tooLong(managerMaxBytes);
  }
}
