import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual, setField, type JsonObject } from "#api/patch/json-object.ts";

/**
 * Applies a merge patch (RFC 7386): objects merge, null removes, everything else replaces. The input is not
 * changed; the result shares with it what the patch did not touch.
 */
export function applyMergePatch(document: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: JsonObject = isObject(document) ? { ...document } : {};
  for (const field of Object.keys(patch)) {
    const change = fieldOf(patch, field) ?? null;
    if (change === null) delete merged[field];
    else setField(merged, field, applyMergePatch(fieldOf(merged, field) ?? null, change));
  }
  return merged;
}

/**
 * The merge patch that leads from `before` to `after`; undefined when they are equal. A null inside `after` cannot
 * be expressed by a merge patch: it is taken for an absent field.
 */
export function createMergePatch(before: Json, after: Json): Json | undefined {
  if (jsonEqual(before, after)) return undefined;
  if (!isObject(before) || !isObject(after)) return after;
  const patch: JsonObject = {};
  for (const field of Object.keys(before)) {
    if (!Object.hasOwn(after, field)) setField(patch, field, null);
  }
  for (const field of Object.keys(after)) {
    const left = fieldOf(before, field);
    const right = fieldOf(after, field) ?? null;
    const change = left === undefined ? right : createMergePatch(left, right);
    if (change !== undefined) setField(patch, field, change);
  }
  return patch;
}
