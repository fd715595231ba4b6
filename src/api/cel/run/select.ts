import { doubleOf } from "#api/cel/numbers.ts";
import {
  EvaluationError,
  isFields,
  isList,
  LazyFields,
  MapValue,
  noValue,
  OptionalValue,
  StructValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

/** The field or entry of that name; undefined where there is none. Throws where the value has no fields. */
export function findField(operand: Value, field: string): Value | undefined {
  if (isFields(operand)) return Object.hasOwn(operand, field) ? operand[field] : undefined;
  if (operand instanceof MapValue || operand instanceof LazyFields) return operand.get(field);
  if (operand instanceof StructValue) return operand.fields.get(field);
  throw new EvaluationError("no such overload");
}

export function selectField(operand: Value, field: string): Value {
  if (operand instanceof OptionalValue) return optionalField(operand, field);
  const found = findField(operand, field);
  if (found === undefined) throw noSuchKey(field);
  return found;
}

/** A field of a declared object that is null is as good as not there. */
export function selectNonNull(operand: Value, field: string): Value {
  const found = selectField(operand, field);
  if (found === null) throw noSuchKey(field);
  return found;
}

export function hasNonNull(operand: Value, field: string): boolean {
  const target = operand instanceof OptionalValue ? operand.content : operand;
  return target !== undefined && (findField(target, field) ?? null) !== null;
}

export function hasField(operand: Value, field: string): boolean {
  if (!(operand instanceof OptionalValue)) return findField(operand, field) !== undefined;
  return operand.content !== undefined && findField(operand.content, field) !== undefined;
}

/** `a.?b`, and `a.b` where `a` is optional. */
export function optionalField(operand: Value, field: string): Value {
  const target = operand instanceof OptionalValue ? operand.content : operand;
  if (target === undefined) return noValue;
  const found = findField(target, field);
  return found === undefined ? noValue : new OptionalValue(found);
}

export function itemAt(operand: Value, index: Value): Value {
  if (operand instanceof OptionalValue) return optionalItem(operand, index);
  if (isList(operand)) {
    const at = listIndex(index);
    const found = operand[at];
    if (found === undefined) throw new EvaluationError(`index out of bounds: ${at}`);
    return found;
  }
  const found = entryOf(operand, index);
  if (found === undefined) throw noSuchKey(index);
  return found;
}

/** `a[?i]`, and `a[i]` where `a` is optional. */
export function optionalItem(operand: Value, index: Value): Value {
  const target = operand instanceof OptionalValue ? operand.content : operand;
  if (target === undefined) return noValue;
  const found = isList(target) ? target[listIndex(index)] : entryOf(target, index);
  return found === undefined ? noValue : new OptionalValue(found);
}

function listIndex(index: Value): number {
  if (typeof index === "number" && Number.isInteger(index)) return index;
  const number = index instanceof UintValue ? Number(index.value) : (doubleOf(index) ?? NaN);
  if (!Number.isInteger(number))
    throw new EvaluationError(`unsupported index value: ${textOf(index)}`);
  return number;
}

/** The entry of a map; what can be no key of such a map is not there. */
export function entryOf(operand: Value, key: Value): Value | undefined {
  if (isFields(operand)) {
    return typeof key === "string" && Object.hasOwn(operand, key) ? operand[key] : undefined;
  }
  if (operand instanceof MapValue) return operand.get(key);
  if (operand instanceof LazyFields && typeof key === "string") return operand.get(key);
  throw new EvaluationError("no such overload");
}

function noSuchKey(key: Value): EvaluationError {
  return new EvaluationError(`no such key: ${textOf(key)}`);
}

/** A key or index in a message. */
export function textOf(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof UintValue) return String(value.value);
  return typeof value === "object" && value !== null ? "value" : String(value);
}
