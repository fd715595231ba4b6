import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";

/** How a value is owned: as one leaf, field by field, or item by item. */
export type Shape = "leaf" | "map" | "list";

/** The shape of a value by its schema, or by the value itself where the schema leaves it open. */
export function shapeOf(schema: Schema | undefined, value: Json | undefined): Shape {
  if (schema === undefined || schema.preserveUnknownFields) {
    return isObject(value) && schema?.mapType !== "atomic" ? "map" : listShape(schema, value);
  }
  if (schema.type === "object") return schema.mapType === "atomic" ? "leaf" : "map";
  return schema.type === "array" ? listShape(schema, value) : "leaf";
}

export function childSchema(schema: Schema | undefined, field: string): Schema | undefined {
  const properties = schema?.properties;
  if (properties !== undefined && Object.hasOwn(properties, field)) return properties[field];
  return schema?.values;
}

/** Whether the field is one of a struct, not the key of a map. */
export function isDeclared(schema: Schema | undefined, field: string): boolean {
  return schema?.properties !== undefined && Object.hasOwn(schema.properties, field);
}

/** Whether a struct's schema leaves no place for the field. */
export function isUndeclared(schema: Schema | undefined, field: string): boolean {
  if (schema?.properties === undefined || schema.preserveUnknownFields) return false;
  return schema.values === undefined && !Object.hasOwn(schema.properties, field);
}

/**
 * The step of a path to a list's item: `k:{"name":"web"}` or `v:"web"`. A key that is missing and has no default is
 * left out. Undefined when all are.
 */
export function itemElement(schema: Schema | undefined, item: Json): string | undefined {
  if (schema?.listType !== "map") return `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const keys: Record<string, Json> = {};
  let some = false;
  for (const key of sortedKeys(schema)) {
    const value = keyValue(schema, item, key);
    if (value === undefined) continue;
    keys[key] = value;
    some = true;
  }
  if (!some) return undefined;
  return `k:${JSON.stringify(keys)}`;
}

/** Whether two items have the same keys; cheaper than comparing their elements. */
export function sameItem(schema: Schema | undefined, left: Json, right: Json): boolean {
  if (schema?.listType !== "map" || !isObject(left) || !isObject(right)) return left === right;
  const keys = schema.listMapKeys ?? [];
  return keys.every((key) => keyValue(schema, left, key) === keyValue(schema, right, key));
}

/** Whether an item stands more than once in the list: validation of some kinds allows it. */
export function hasRepeats(schema: Schema | undefined, items: readonly Json[]): boolean {
  if (items.length > pairwiseMax) {
    return new Set(items.map((item) => itemElement(schema, item))).size < items.length;
  }
  for (let last = 1; last < items.length; last++) {
    for (let first = 0; first < last; first++) {
      if (sameItem(schema, items[first] ?? null, items[last] ?? null)) return true;
    }
  }
  return false;
}

const pairwiseMax = 16;

function keyValue(schema: Schema, item: JsonObject, key: string): Json | undefined {
  return fieldOf(item, key) ?? schema.items?.properties?.[key]?.default;
}

/** A path as messages show it: `.spec.containers[name="web"].image`. */
export function printPath(path: readonly string[]): string {
  return path.map(printElement).join("");
}

const sorted = new WeakMap<Schema, readonly string[]>();

function sortedKeys(schema: Schema): readonly string[] {
  let keys = sorted.get(schema);
  if (keys === undefined) sorted.set(schema, (keys = (schema.listMapKeys ?? []).toSorted()));
  return keys;
}

function listShape(schema: Schema | undefined, value: Json | undefined): Shape {
  if (schema === undefined || (value !== undefined && value !== null && !Array.isArray(value))) {
    return "leaf";
  }
  return schema.listType === "map" || schema.listType === "set" ? "list" : "leaf";
}

function printElement(element: string): string {
  const content = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${content}`;
    case "v":
      return `[=${content}]`;
    case "k": {
      const keys = JSON.parse(content) as Record<string, Json>;
      const parts = Object.keys(keys).map((key) => `${key}=${JSON.stringify(keys[key])}`);
      return `[${parts.join(",")}]`;
    }
    default:
      return `[${content}]`;
  }
}
