import type { Json } from "#api/meta.ts";

/** A JSON object that is only read: it may be frozen or shared. */
export type JsonObject = { [field: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The field's value, or undefined. Never what a prototype has (`constructor`, `__proto__`). */
export function fieldOf(object: JsonObject, field: string): Json | undefined {
  return Object.hasOwn(object, field) ? object[field] : undefined;
}

/** Sets a field in place, also one that is called `__proto__`. */
export function setField(object: JsonObject, field: string, value: Json): void {
  if (field !== "__proto__") {
    object[field] = value;
    return;
  }
  Object.defineProperty(object, field, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** Equality of JSON values: the order of fields does not matter. */
export function jsonEqual(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return false;
  }
  if (left === undefined || right === undefined) return false;
  if (Array.isArray(left)) return Array.isArray(right) && itemsEqual(left, right);
  return !Array.isArray(right) && fieldsEqual(left, right);
}

function itemsEqual(left: Json[], right: Json[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (!jsonEqual(left[index], right[index])) return false;
  }
  return true;
}

function fieldsEqual(left: JsonObject, right: JsonObject): boolean {
  const fields = Object.keys(left);
  if (fields.length !== Object.keys(right).length) return false;
  for (const field of fields) {
    if (!Object.hasOwn(right, field) || !jsonEqual(left[field], right[field])) return false;
  }
  return true;
}
