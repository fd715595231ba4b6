import {
  DoubleValue,
  DurationValue,
  EvaluationError,
  isFields,
  isList,
  MapValue,
  OptionalValue,
  StructValue,
  TimestampValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";
import { textOf } from "#api/cel/run/select.ts";
import { formatDuration, formatTimestamp } from "#api/cel/time.ts";
import type { Json } from "#api/meta.ts";
import { setField, type JsonObject } from "#api/patch/json-object.ts";

/** A value of an expression as JSON, a copy of its own. */
export function jsonOf(value: Value): Json {
  if (value === null || typeof value !== "object") {
    return typeof value === "bigint" ? Number(value) : value;
  }
  if (isList(value)) return value.map((item) => jsonOf(item));
  if (isFields(value)) return objectOf(Object.entries(value));
  if (value instanceof StructValue) return objectOf([...value.fields]);
  if (value instanceof MapValue) {
    return objectOf(value.keys().map((key) => [textOf(key), value.get(key) ?? null]));
  }
  if (value instanceof DoubleValue) return value.value;
  if (value instanceof UintValue) return Number(value.value);
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
  if (value instanceof TimestampValue) return formatTimestamp(value);
  if (value instanceof DurationValue) return formatDuration(value);
  if (value instanceof OptionalValue && value.content !== undefined) return jsonOf(value.content);
  throw new EvaluationError(
    `a value of type ${"type" in value ? value.type.name : "?"} is no JSON`,
  );
}

function objectOf(entries: Iterable<readonly [string, Value]>): JsonObject {
  const object: JsonObject = {};
  for (const [name, value] of entries) setField(object, name, jsonOf(value));
  return object;
}
