import { celEquals } from "#api/cel/equality.ts";
import { itemTypeOf, type Type, valueTypeOf } from "#api/cel/type.ts";
import { isFields, isList, type Value } from "#api/cel/value.ts";
import { work } from "#api/cel/work.ts";

/** Equality of values of a declared type: the order of items in sets and list maps does not count. */
export function equalsByType(type: Type, a: Value, b: Value): boolean {
  if (type.holdsKeyedLists !== true) return celEquals(a, b);
  if (isList(a) && isList(b)) return a.length === b.length && itemsEqual(type, a, b);
  if (!isFields(a) || !isFields(b)) return celEquals(a, b);
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    if (!Object.hasOwn(b, name)) return false;
    const inner = type.kind === "map" ? valueTypeOf(type) : type.fieldOf?.(name);
    const [mine = null, theirs = null] = [a[name], b[name]];
    return inner === undefined ? celEquals(mine, theirs) : equalsByType(inner, mine, theirs);
  });
}

/** What telling the key of an item takes, in steps of `work`. */
const keySteps = 200;

function itemsEqual(type: Type, a: readonly Value[], b: readonly Value[]): boolean {
  const item = itemTypeOf(type);
  const { keyedBy } = type;
  work(a.length * keySteps);
  if (keyedBy === undefined) {
    return a.every((one, index) => equalsByType(item, one, b[index] ?? null));
  }
  const byKey = new Map(b.map((one) => [keyOf(keyedBy, one), one]));
  return a.every((one) => {
    const other = byKey.get(keyOf(keyedBy, one));
    return other !== undefined && equalsByType(item, one, other);
  });
}

/** The sum of two such lists: items of the second take the places of those with the same key. */
export function joinKeyed(
  keyedBy: NonNullable<Type["keyedBy"]>,
  a: readonly Value[],
  b: readonly Value[],
): Value {
  work((a.length + b.length) * keySteps);
  const byKey = new Map(a.map((one) => [keyOf(keyedBy, one), one]));
  for (const one of b) byKey.set(keyOf(keyedBy, one), one);
  return [...byKey.values()];
}

function keyOf(keyedBy: NonNullable<Type["keyedBy"]>, item: Value): string {
  if (keyedBy === "item") return textOf(item);
  return JSON.stringify(keyedBy.map((key) => textOf(isFields(item) ? (item[key] ?? null) : null)));
}

/** Items of sets and keys are scalars, or small; equal ones have the same text. */
function textOf(value: Value): string {
  if (typeof value === "bigint") return String(value);
  if (isFields(value)) {
    const names = Object.keys(value).toSorted();
    return `{${names.map((name) => `${name}:${textOf(value[name] ?? null)}`).join()}}`;
  }
  return isList(value) ? `[${value.map(textOf).join()}]` : JSON.stringify(value);
}
