import { asDouble } from "#api/cel/numbers.ts";
import { parseDate, parseDuration, parseTimestamp } from "#api/cel/time.ts";
import { itemTypeOf, type Type, valueTypeOf } from "#api/cel/type.ts";
import { EvaluationError, isFields, isList, type Value } from "#api/cel/value.ts";
import { work } from "#api/cel/work.ts";

/** Makes of JSON what its schema says it is: doubles, bytes, times. */
export type Reader = (value: Value) => Value;

/** Undefined where JSON stands for itself, which is nearly everywhere. */
export function readerOf(type: Type): Reader | undefined {
  switch (type.kind) {
    case "double":
      return asDouble;
    case "bytes":
      return readBytes;
    case "timestamp":
      return readTimestamp;
    case "duration":
      return readDuration;
    case "list":
      return listReader(readerOf(itemTypeOf(type)));
    case "map":
      return mapReader(readerOf(valueTypeOf(type)));
    default:
      return undefined;
  }
}

/** What reading one value takes, in steps of `work`. */
const readingSteps = 50;

function listReader(item: Reader | undefined): Reader | undefined {
  if (item === undefined) return undefined;
  return (value) => {
    if (!isList(value)) return value;
    work(value.length * readingSteps);
    return value.map(item);
  };
}

function mapReader(inner: Reader | undefined): Reader | undefined {
  if (inner === undefined) return undefined;
  return (value) => {
    if (!isFields(value)) return value;
    const entries = Object.entries(value);
    work(entries.length * readingSteps);
    return Object.fromEntries(entries.map(([name, one]) => [name, inner(one)]));
  };
}

function readBytes(value: Value): Value {
  if (typeof value !== "string") return value;
  try {
    return Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
  } catch {
    throw new EvaluationError("illegal base64 data");
  }
}

function readTimestamp(value: Value): Value {
  if (typeof value !== "string") return value;
  const found = parseTimestamp(value) ?? parseDate(value);
  if (found === undefined)
    throw new EvaluationError(`invalid date or date-time ${JSON.stringify(value)}`);
  return found;
}

function readDuration(value: Value): Value {
  if (typeof value !== "string") return value;
  const found = parseDuration(value);
  if (found === undefined) throw new EvaluationError(`invalid duration ${JSON.stringify(value)}`);
  return found;
}
