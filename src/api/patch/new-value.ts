import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, setField, type JsonObject } from "#api/patch/json-object.ts";

/**
 * What a strategic merge patch puts where nothing was before: its nulls and directives have nothing to act on and
 * are left out, objects that carry `$patch` altogether. Undefined when nothing remains of the value itself.
 */
export function newValue(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.flatMap((item) => newItem(item));
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, "$patch")) return undefined;
  const result: JsonObject = {};
  for (const field of Object.keys(value)) {
    const child = fieldOf(value, field) ?? null;
    const next = child === null || isDirective(field) ? undefined : newValue(child);
    if (next !== undefined) setField(result, field, next);
  }
  return result;
}

/** Whether a field of a patch says what to do instead of holding a value. */
function isDirective(field: string): boolean {
  return (
    field === "$retainKeys" ||
    field.startsWith("$setElementOrder/") ||
    field.startsWith("$deleteFromPrimitiveList/")
  );
}

function newItem(item: Json): Json[] {
  const next = newValue(item);
  return next === undefined ? [] : [next];
}
