import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { isMember, type FieldSet } from "#api/apply/field-set.ts";
import { childSchema, itemElement, shapeOf } from "#api/apply/paths.ts";

/** The live object with all that the applied one says. Neither is changed; the result shares with both. */
export function mergeObjects(live: JsonObject, applied: JsonObject, schema: Schema): JsonObject {
  return mergeFields(live, applied, schema);
}

/** The object without the fields and items of the set. */
export function removeFields(object: JsonObject, removed: FieldSet, schema: Schema): JsonObject {
  return removeFromObject(object, removed, schema);
}

function mergeValues(live: Json | undefined, applied: Json, schema: Schema | undefined): Json {
  const shape = shapeOf(schema, applied);
  if (shape === "map" && isObject(applied)) {
    return mergeFields(isObject(live) ? live : {}, applied, schema);
  }
  if (shape === "list" && Array.isArray(applied)) {
    return mergeItems(Array.isArray(live) ? live : [], applied, schema);
  }
  return applied;
}

function mergeFields(
  live: JsonObject,
  applied: JsonObject,
  schema: Schema | undefined,
): JsonObject {
  const merged = { ...live };
  for (const field of Object.keys(applied)) {
    const value = fieldOf(applied, field) ?? null;
    const current = fieldOf(live, field);
    const fieldSchema = childSchema(schema, field);
    if (value !== null) setField(merged, field, mergeValues(current, value, fieldSchema));
    else if (shapeOf(fieldSchema, current) === "leaf") delete merged[field];
  }
  return merged;
}

/**
 * Applied items keep their order; each item that only the live list has stays before the live item that followed it.
 * An applied item that the live list has more than once takes the place of all of them.
 */
function mergeItems(live: Json[], applied: Json[], schema: Schema | undefined): Json[] {
  const elementOf = (item: Json): string => itemElement(schema, item) ?? JSON.stringify(item);
  const liveElements = live.map(elementOf);
  const liveItems = new Map<string, Json | undefined>();
  live.forEach((item, index) => {
    const element = liveElements[index] ?? "";
    liveItems.set(element, liveItems.has(element) ? undefined : item);
  });
  const elements = applied.map(elementOf);
  const named = new Set(elements);
  const merged: Json[] = [];
  let next = 0;
  const takeApplied = (): void => {
    const item = applied[next] ?? null;
    merged.push(mergeValues(liveItems.get(elements[next] ?? ""), item, schema?.items));
    next++;
  };
  let shared = -1;
  const nextShared = (): string | undefined => {
    while (shared < next || (shared < elements.length && !liveItems.has(elements[shared] ?? ""))) {
      shared++;
    }
    return elements[shared];
  };
  for (const [index, element] of liveElements.entries()) {
    if (!named.has(element)) merged.push(live[index] ?? null);
    else if (nextShared() === element) {
      while (elements[next] !== element) takeApplied();
      takeApplied();
    }
  }
  while (next < applied.length) takeApplied();
  return merged;
}

function removeFromObject(
  object: JsonObject,
  removed: FieldSet,
  schema: Schema | undefined,
): JsonObject {
  let result = object;
  for (const element in removed) {
    const field = element.slice(2);
    const value = element.startsWith("f:") ? fieldOf(object, field) : undefined;
    const below = removed[element];
    if (value === undefined || below === undefined) continue;
    const rest = isMember(below)
      ? undefined
      : removeFromValue(value, below, childSchema(schema, field));
    if (rest === value) continue;
    if (result === object) result = { ...object };
    if (rest === undefined) delete result[field];
    else setField(result, field, rest);
  }
  return result;
}

function removeFromValue(value: Json, removed: FieldSet, schema: Schema | undefined): Json {
  const shape = shapeOf(schema, value);
  if (shape === "map" && isObject(value)) return removeFromObject(value, removed, schema);
  if (shape !== "list" || !Array.isArray(value)) return value;
  return value.flatMap((item) => {
    const below = removed[itemElement(schema, item) ?? ""];
    if (below === undefined) return [item];
    return isMember(below) ? [] : [removeFromValue(item, below, schema?.items)];
  });
}
