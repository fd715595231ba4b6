import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import { isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import type { FieldSet, MutableFieldSet } from "#api/apply/field-set.ts";

/** The fields of `metadata` that nobody owns: the server sets them. */
const serverMetadata: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion",
]);

/** The same as a set, with the fields that say what the object is. */
export const serverFields: FieldSet = {
  "f:apiVersion": {},
  "f:kind": {},
  "f:metadata": {
    ".": {},
    ...Object.fromEntries([...serverMetadata].map((field) => [`f:${field}`, {}])),
  },
};

/** The object without what nobody can own. */
export function withoutServerFields(object: JsonObject): JsonObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  if (!isObject(metadata)) return metadata === undefined ? rest : { metadata, ...rest };
  const owned: JsonObject = {};
  for (const field of Object.keys(metadata)) {
    if (!serverMetadata.has(field)) setField(owned, field, metadata[field] ?? null);
  }
  return Object.keys(owned).length === 0 ? rest : { metadata: owned, ...rest };
}

export function withoutManagedFields(object: JsonObject): JsonObject {
  if (!isObject(object["metadata"])) return object;
  const { managedFields: _, ...metadata } = object["metadata"];
  return { ...object, metadata };
}

/** The object with these managers; none of them leaves no `managedFields`. */
export function withManagedFields(
  object: JsonObject,
  managedFields: readonly ManagedFieldsEntry[],
): JsonObject {
  const bare = withoutManagedFields(object);
  if (managedFields.length === 0) return bare;
  const metadata = isObject(bare["metadata"]) ? bare["metadata"] : {};
  return {
    ...bare,
    metadata: { ...metadata, managedFields: managedFields as unknown as JsonObject[] },
  };
}

/**
 * The fields that a write through this door does not change, and so cannot own: `status` through the main resource,
 * all else through `status`. Other subresources write what they like.
 */
export function resetFieldsOf(schema: Schema, subresource: string): FieldSet {
  const hasStatus = schema.properties !== undefined && Object.hasOwn(schema.properties, "status");
  if (!hasStatus || (subresource !== "" && subresource !== "status")) return {};
  if (subresource === "") return { "f:status": {} };
  const all: MutableFieldSet = {};
  for (const field of Object.keys(schema.properties ?? {})) {
    if (field !== "status") all[`f:${field}`] = {};
  }
  return all;
}
