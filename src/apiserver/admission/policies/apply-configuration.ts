import { mergeObjects } from "#api/apply/merge.ts";
import { isFields, isList, MapValue, StructValue, type Value } from "#api/cel/value.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Schema } from "#api/schema.ts";
import { jsonOf } from "#apiserver/admission/policies/json-of.ts";
import { isObject } from "#apiserver/objects/json.ts";

/**
 * The object with what an `Object{…}` says merged into it, as server-side apply merges, without owners. Throws an
 * Error with upstream's text for what may not be merged.
 */
export function applyConfiguration(object: JsonObject, value: Value, schema: Schema): JsonObject {
  if (!(value instanceof StructValue)) throw new Error("the expression gives no Object");
  assertNames(value, "Object");
  const patch = jsonOf(value) as JsonObject;
  const named = { ...patch, apiVersion: object.apiVersion ?? "", kind: object.kind ?? "" };
  const atomics = atomicsIn(patch, schema, "");
  if (atomics.length > 0) {
    const problem = `may not mutate atomic arrays, maps or structs: ${atomics.join(", ")}`;
    throw new Error(`error applying patch: invalid ApplyConfiguration: ${problem}`);
  }
  return mergeObjects(object, named, schema);
}

/** `Object.spec.selector{}` may stand at `spec.selector` alone. */
function assertNames(value: Value, path: string): void {
  if (value instanceof StructValue) {
    if (value.type.name !== path) {
      throw new Error(
        `type mismatch: unexpected type name ${JSON.stringify(value.type.name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
      );
    }
    for (const [name, inner] of value.fields) assertNames(inner, `${path}.${name}`);
  } else if (isList(value)) {
    for (const item of value) assertNames(item, path);
  } else if (value instanceof MapValue) {
    for (const key of value.keys()) assertNames(value.get(key) ?? null, path);
  } else if (isFields(value)) {
    for (const inner of Object.values(value)) assertNames(inner, path);
  }
}

function atomicsIn(value: unknown, schema: Schema, path: string): readonly string[] {
  if (Array.isArray(value)) {
    const isAtomic = schema.listType !== "map" && schema.listType !== "set";
    const { items } = schema;
    const inner = items === undefined ? [] : value.flatMap((item) => atomicsIn(item, items, path));
    return isAtomic ? [path, ...inner] : inner;
  }
  if (!isObject(value)) return [];
  const isAtomic = schema.mapType === "atomic";
  const inner = Object.entries(value).flatMap(([name, one]) => {
    const field = schema.properties?.[name];
    return field === undefined ? [] : atomicsIn(one, field, `${path}.${name}`);
  });
  return isAtomic ? [path, ...inner] : inner;
}
