import { compareNumbers } from "#api/cel/numbers.ts";
import { work } from "#api/cel/work.ts";
import {
  CelObject,
  DoubleValue,
  DurationValue,
  EvaluationError,
  isFields,
  isList,
  MapValue,
  onContentsEqual,
  OptionalValue,
  TimestampValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

/** CEL's `==`: numbers by value whatever their type, lists and maps by content, anything else is not equal. */
export function celEquals(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a === "string" || typeof a === "boolean" || a === null || b === null) return false;
  if (typeof a === "number" || typeof a === "bigint") return compareNumbers(a, b) === 0;
  if (a instanceof DoubleValue || a instanceof UintValue) return compareNumbers(a, b) === 0;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0;
  if (isList(a)) return isList(b) && listsEqual(a, b);
  if (isFields(a)) return isFields(b) ? fieldsEqual(a, b) : mapsEqual(a, b);
  if (isFields(b)) return mapsEqual(b, a);
  return a instanceof CelObject && b instanceof CelObject && a.equals(b);
}

onContentsEqual(celEquals);

/** What comparing two items or entries takes, in steps of `work`. */
const comparisonSteps = 20;

function listsEqual(a: readonly Value[], b: readonly Value[]): boolean {
  work(a.length * comparisonSteps);
  return a.length === b.length && a.every((item, index) => celEquals(item, b[index] ?? null));
}

type Fields = Readonly<Record<string, Value>>;

function fieldsEqual(a: Fields, b: Fields): boolean {
  const names = Object.keys(a);
  work(names.length * comparisonSteps);
  if (names.length !== Object.keys(b).length) return false;
  return names.every(
    (name) => Object.hasOwn(b, name) && celEquals(a[name] ?? null, b[name] ?? null),
  );
}

function mapsEqual(a: Fields, b: Value): boolean {
  if (!(b instanceof MapValue)) return false;
  const names = Object.keys(a);
  if (names.length !== b.size) return false;
  return names.every((name) => {
    const theirs = b.get(name);
    return theirs !== undefined && celEquals(a[name] ?? null, theirs);
  });
}

/** Negative, 0 or positive; NaN for numbers that have no order. Throws where there is none between such values. */
export function celCompare(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  const numbers = compareNumbers(a, b);
  if (numbers !== undefined) return numbers;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  if (a instanceof TimestampValue && b instanceof TimestampValue) {
    return a.seconds === b.seconds ? a.nanos - b.nanos : a.seconds - b.seconds;
  }
  if (a instanceof DurationValue && b instanceof DurationValue) {
    if (a.nanos === b.nanos) return 0;
    return a.nanos < b.nanos ? -1 : 1;
  }
  throw new EvaluationError("no such overload");
}

/** Texts in the order of their code points, as Go has it; JavaScript's own order differs above U+FFFF. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const first = a.charCodeAt(index);
    const second = b.charCodeAt(index);
    if (first === second) continue;
    if (isSurrogate(first) === isSurrogate(second)) return first - second;
    return isSurrogate(first) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** How many characters, bytes, items or entries; undefined where the value has no size. */
export function sizeOf(value: Value): number | undefined {
  if (typeof value === "string") return lettersOf(value);
  if (value instanceof Uint8Array || isList(value)) return value.length;
  if (value instanceof MapValue) return value.size;
  if (!isFields(value)) return undefined;
  const { length } = Object.keys(value);
  work(length);
  return length;
}

export function lettersOf(text: string): number {
  work(text.length);
  let letters = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(index + 1);
    if (next >= 0xdc00 && next <= 0xdfff) letters -= 1;
  }
  return letters;
}

/** Size for the purposes of cost: 1 for what has none. */
export function costSizeOf(value: Value): number {
  if (value instanceof OptionalValue)
    return value.content === undefined ? 1 : costSizeOf(value.content);
  return sizeOf(value) ?? 1;
}
