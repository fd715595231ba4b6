import type { Json } from "#api/meta.ts";
import { isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import {
  itemsOfProps,
  propertyOf,
  valuesOfProps,
  type SchemaProps,
} from "#api/custom/schema-props.ts";

/**
 * In place: drops nulls where they may not stand and sets the schema's defaults where nothing is. An object's own
 * apiVersion, kind and metadata are left alone.
 */
export function fillSchemaDefaults(object: JsonObject, props: SchemaProps): void {
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...own } = props.properties ?? {};
  fillValue(object, { ...props, properties: own });
}

function fillValue(value: Json, props: SchemaProps): void {
  if (isObject(value)) return fillObject(value, props);
  const items = itemsOfProps(props);
  if (!Array.isArray(value) || items === undefined) return;
  for (const item of value) fillValue(item, items);
}

function fillObject(object: JsonObject, props: SchemaProps): void {
  for (const field of Object.keys(object)) {
    const schema = propertyOf(props, field) ?? valuesOfProps(props);
    if (schema !== undefined && object[field] === null && !mayBeNull(schema)) delete object[field];
  }
  for (const [field, schema] of Object.entries(props.properties ?? {})) {
    if (schema.default === undefined || schema.default === null) continue;
    if (!Object.hasOwn(object, field)) setField(object, field, structuredClone(schema.default));
  }
  for (const field of Object.keys(object)) {
    const schema = propertyOf(props, field) ?? valuesOfProps(props);
    if (schema !== undefined) fillValue(object[field] ?? null, schema);
  }
}

/** A schema that leaves the type open takes null as any other value. */
function mayBeNull(schema: SchemaProps): boolean {
  if (schema.nullable) return true;
  return schema.type === undefined && !schema["x-kubernetes-int-or-string"];
}
