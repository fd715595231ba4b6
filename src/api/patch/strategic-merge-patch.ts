import type { Json } from "#api/meta.ts";
import type { Schema } from "#api/schema.ts";
import { badRequest } from "#api/status.ts";
import { fieldOf, isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import { goFormat } from "#api/patch/go-format.ts";
import {
  assertOrderOf,
  assertSameKinds,
  keyOfItem,
  orderItems,
  type ListKey,
} from "#api/patch/merge-list.ts";
import { newValue } from "#api/patch/new-value.ts";

/**
 * Applies a strategic merge patch with all its directives (`$patch`, `$retainKeys`, `$setElementOrder/…`,
 * `$deleteFromPrimitiveList/…`). Which lists merge, and by which key, is told by the schema; without one, objects
 * merge and lists are replaced. The inputs are not changed. A patch that cannot be applied is a 400 with upstream's
 * text. What the document did not have before is taken over without the directives in it.
 */
export function applyStrategicMergePatch(document: Json, patch: Json, schema: Schema): Json {
  if (!isObject(patch)) throw badRequest("invalid JSON document");
  return mergeObject(isObject(document) ? document : {}, patch, schema);
}

const orderPrefix = "$setElementOrder";
const deletePrefix = "$deleteFromPrimitiveList";
const badOrderList = "invalid patch format of setElementOrder list";
const badPrimitiveList = "invalid patch format of primitive list";
const badRetainKeys = "invalid patch format of retainKeys";

function mergeObject(
  original: JsonObject,
  patch: JsonObject,
  schema: Schema | undefined,
): JsonObject {
  const directive = fieldOf(patch, "$patch");
  if (directive !== undefined) return wholeObject(directive, patch);
  const merged = retainKeys(original, patch);
  const ordered = mergeOrderedLists(merged, patch, schema);
  for (const field of Object.keys(patch)) {
    if (field === "$retainKeys" || field.startsWith(orderPrefix) || ordered.has(field)) continue;
    const change = fieldOf(patch, field) ?? null;
    if (field.startsWith(deletePrefix)) deleteFromList(merged, field, change);
    else mergeField(merged, field, { change, schema: childSchema(schema, field) });
  }
  return merged;
}

function wholeObject(directive: Json, patch: JsonObject): JsonObject {
  if (directive === "delete") return {};
  if (directive !== "replace") {
    throw badRequest(`unknown patch type: ${goFormat(directive)} in map: ${goFormat(patch)}`);
  }
  const { $patch: _, ...rest } = patch;
  return rest;
}

/** A copy of the original, without the fields that a `$retainKeys` of the patch does not name. */
function retainKeys(original: JsonObject, patch: JsonObject): JsonObject {
  const directive = fieldOf(patch, "$retainKeys");
  const merged = { ...original };
  if (directive === undefined) return merged;
  if (!Array.isArray(directive)) throw badRequest(badRetainKeys);
  const retained = new Set(directive);
  for (const field of Object.keys(patch)) {
    const isDirective =
      field === "$retainKeys" || field.startsWith(orderPrefix) || field.startsWith(deletePrefix);
    if (isDirective || fieldOf(patch, field) === null) continue;
    if (!retained.has(field)) throw badRequest(badRetainKeys);
  }
  for (const field of Object.keys(merged)) {
    if (!retained.has(field)) delete merged[field];
  }
  return merged;
}

/** Merges the lists that have a `$setElementOrder/…` and puts their items in that order. Returns their fields. */
function mergeOrderedLists(
  merged: JsonObject,
  patch: JsonObject,
  schema: Schema | undefined,
): Set<string> {
  const done = new Set<string>();
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(orderPrefix)) continue;
    const field = directive.slice(orderPrefix.length + 1);
    if (directive[orderPrefix.length] !== "/" || field === "") throw badRequest(badOrderList);
    const order = asList(fieldOf(patch, directive) ?? null);
    const current = fieldOf(merged, field);
    const change = fieldOf(patch, field);
    done.add(field);
    if (current === undefined && change === undefined) continue;
    const listSchema = childSchema(schema, field);
    const server = asList(current ?? []);
    const changes = change === undefined ? [] : asList(change);
    const key = mergeKeyOf(listSchema, [...server, ...changes]);
    assertOrderOf(changes, order, key);
    const items = orderedItems(current, change, listSchema);
    setField(merged, field, orderItems({ items, order, serverOrder: server, key }));
  }
  return done;
}

function orderedItems(
  current: Json | undefined,
  change: Json | undefined,
  schema: Schema | undefined,
): Json[] {
  if (change === undefined) return asList(current ?? []);
  if (current === undefined) return asList(newValue(change) ?? []);
  return mergeList(asList(current), asList(change), schema);
}

function deleteFromList(merged: JsonObject, directive: string, removed: Json): void {
  const field = directive.slice(deletePrefix.length + 1);
  if (directive[deletePrefix.length] !== "/" || field === "") throw badRequest(badPrimitiveList);
  const current = fieldOf(merged, field);
  if (removed === null) delete merged[field];
  if (!Array.isArray(removed) || !Array.isArray(current)) return;
  const gone = new Set(removed);
  setField(
    merged,
    field,
    current.filter((item) => !gone.has(item)),
  );
}

function mergeField(
  merged: JsonObject,
  field: string,
  { change, schema }: { readonly change: Json; readonly schema: Schema | undefined },
): void {
  const value = change === null ? undefined : mergeValue(fieldOf(merged, field), change, schema);
  if (value === undefined) delete merged[field];
  else setField(merged, field, value);
}

function mergeValue(
  current: Json | undefined,
  change: Json,
  schema: Schema | undefined,
): Json | undefined {
  if (isObject(current) && isObject(change)) {
    return strategyOf(schema) === "replace" ? change : mergeObject(current, change, schema);
  }
  if (Array.isArray(current) && Array.isArray(change)) return mergeList(current, change, schema);
  return newValue(change);
}

function mergeList(
  original: readonly Json[],
  patch: readonly Json[],
  schema: Schema | undefined,
): Json[] {
  if (strategyOf(schema) !== "merge") return [...patch];
  if (original.length === 0 && patch.length === 0) return [];
  assertSameKinds([...original, ...patch]);
  const key = mergeKeyOf(schema, [...original, ...patch]);
  if (key === undefined) {
    const items = [...new Set([...original, ...patch])];
    return orderItems({ items, order: patch, serverOrder: original, key });
  }
  const { kept, changes } = applyItemDirectives(original, patch, key);
  const items = mergeItems(kept, changes, { key, schema: schema?.items });
  return orderItems({ items, order: changes, serverOrder: kept, key });
}

/** Carries out the items of the patch that are directives: `$patch: delete` for one, `$patch: replace` for all. */
function applyItemDirectives(
  original: readonly Json[],
  patch: readonly Json[],
  key: string,
): { kept: readonly Json[]; changes: readonly Json[] } {
  const changes: Json[] = [];
  const deleted = new Set<string>();
  let replaced = false;
  for (const item of patch) {
    const directive = isObject(item) ? fieldOf(item, "$patch") : undefined;
    if (directive === undefined) changes.push(item);
    else if (directive === "delete") deleted.add(keyOfItem(item, key));
    else if (directive === "replace") replaced = true;
    else if (directive === "merge") {
      throw badRequest("merging lists cannot yet be specified in the patch");
    } else {
      throw badRequest(`unknown patch type: ${goFormat(directive)} in map: ${goFormat(item)}`);
    }
  }
  if (replaced) return { kept: changes, changes: [] };
  if (deleted.size === 0) return { kept: original, changes };
  return { kept: original.filter((item) => !deleted.has(keyOfItem(item, key))), changes };
}

function mergeItems(
  original: readonly Json[],
  changes: readonly Json[],
  { key, schema }: { readonly key: string; readonly schema: Schema | undefined },
): Json[] {
  const items = [...original];
  const places = new Map<string, number>();
  items.forEach((item, index) => {
    const name = keyOfItem(item, key);
    if (!places.has(name)) places.set(name, index);
  });
  for (const change of changes) {
    const name = keyOfItem(change, key);
    const place = places.get(name);
    if (place === undefined) {
      places.set(name, items.push(newValue(change) ?? {}) - 1);
      continue;
    }
    const current = items[place];
    items[place] = mergeObject(
      isObject(current) ? current : {},
      isObject(change) ? change : {},
      schema,
    );
  }
  return items;
}

function mergeKeyOf(schema: Schema | undefined, items: readonly Json[]): ListKey {
  if (!items.some(isObject)) return undefined;
  const key = schema?.patchMergeKey;
  if (key === undefined || key === "") {
    throw badRequest("cannot merge lists without merge key for type struct");
  }
  return key;
}

function strategyOf(schema: Schema | undefined): string | undefined {
  return schema?.patchStrategy?.split(",").find((strategy) => strategy !== "retainKeys");
}

function childSchema(schema: Schema | undefined, field: string): Schema | undefined {
  const properties = schema?.properties;
  if (properties !== undefined && Object.hasOwn(properties, field)) return properties[field];
  return schema?.values;
}

function asList(value: Json): Json[] {
  if (!Array.isArray(value)) {
    throw badRequest(`expected a []interface {}, but received a ${goTypeOf(value)}`);
  }
  return value;
}

function goTypeOf(value: Json): string {
  if (value === null) return "%!s(<nil>)";
  if (isObject(value)) return "map[string]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value;
}
