import type { Json } from "#api/meta.ts";
import type { Schema } from "#api/schema.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { fieldOf, isObject, setField, type JsonObject } from "#api/patch/json-object.ts";

export interface Pruned {
  readonly object: JsonObject;
  /** The paths of the dropped fields, at most 100: `spec.items[0].foo`. */
  readonly unknown: readonly string[];
}

/**
 * Drops the fields that a custom resource's structural schema does not name. Types are left to validation. The
 * object's own `apiVersion`, `kind` and `metadata` are always kept, and those of embedded resources, whose metadata
 * has what all metadata has. The input is not changed.
 */
export function pruneUnknown(object: JsonObject, schema: Schema): Pruned {
  const unknown: string[] = [];
  const pruned = pruneObject(object, { ...schema, embeddedResource: true }, { path: "", unknown });
  return { object: pruned, unknown };
}

const unknownMax = 100;
const ownFields = new Set(["apiVersion", "kind", "metadata"]);

interface At {
  readonly path: string;
  readonly unknown: string[];
}

function pruneValue(value: Json, schema: Schema, at: At): Json {
  if (isObject(value)) return pruneObject(value, schema, at);
  if (!Array.isArray(value) || schema.items === undefined) return value;
  const { items } = schema;
  const pruned = value.map((item, index) =>
    pruneValue(item, items, { path: `${at.path}[${index}]`, unknown: at.unknown }),
  );
  return pruned.every((item, index) => item === value[index]) ? value : pruned;
}

function pruneObject(object: JsonObject, schema: Schema, at: At): JsonObject {
  if (schema.type === "any" && schema.properties === undefined && !schema.embeddedResource) {
    return object;
  }
  let result = object;
  for (const field of Object.keys(object)) {
    const value = fieldOf(object, field) ?? null;
    const isOwn = schema.embeddedResource && ownFields.has(field);
    const isEmbeddedMetadata = isOwn && field === "metadata" && at.path !== "";
    if (isOwn && !isEmbeddedMetadata) continue;
    const path = at.path === "" ? field : `${at.path}.${field}`;
    const fieldSchema = isEmbeddedMetadata ? objectMeta() : schemaOfField(schema, field);
    if (fieldSchema === undefined && schema.preserveUnknownFields) continue;
    if (result === object) result = { ...object };
    if (fieldSchema === undefined) {
      delete result[field];
      if (at.unknown.length < unknownMax) at.unknown.push(path);
    } else {
      setField(result, field, pruneValue(value, fieldSchema, { path, unknown: at.unknown }));
    }
  }
  return result;
}

function schemaOfField({ properties = {}, values }: Schema, field: string): Schema | undefined {
  return Object.hasOwn(properties, field) ? properties[field] : values;
}

function objectMeta(): Schema {
  return schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
}
