import type { Type, TypeKind } from "#api/cel/type.ts";
import { doubleOf } from "#api/cel/numbers.ts";
import {
  CelObject,
  DurationValue,
  isFields,
  isInt,
  isList,
  LazyFields,
  MapValue,
  StructValue,
  TimestampValue,
  TypeValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

/** Whether values are of the kinds that a signature names. */
export function takes(types: readonly Type[], values: readonly Value[]): boolean {
  if (types.length !== values.length) return false;
  for (let index = 0; index < types.length; index += 1) {
    const type = types[index];
    if (type !== undefined && !isOfKind(type, values[index] ?? null)) return false;
  }
  return true;
}

/** The check of one argument, for calls that are made often. */
export function guardOf(type: Type): (value: Value) => boolean {
  const check = checks[type.kind];
  return (value) => check(value, type);
}

function isOfKind(type: Type, value: Value): boolean {
  return checks[type.kind](value, type);
}

const checks: Readonly<Record<TypeKind, (value: Value, type: Type) => boolean>> = {
  bool: (value) => typeof value === "boolean",
  bytes: (value) => value instanceof Uint8Array,
  double: (value) => doubleOf(value) !== undefined,
  duration: (value) => value instanceof DurationValue,
  dyn: () => true,
  error: () => false,
  int: isInt,
  // Overloads for lists of several types are told apart by what is in them.
  list: (value, type) => isList(value) && (value.length === 0 || takesItems(type, value)),
  map: (value) => isFields(value) || value instanceof MapValue || value instanceof LazyFields,
  null: (value) => value === null,
  opaque: (value, type) => value instanceof CelObject && value.type.name === type.name,
  parameter: () => true,
  string: (value) => typeof value === "string",
  struct: (value, type) => value instanceof StructValue && value.type.name === type.name,
  timestamp: (value) => value instanceof TimestampValue,
  type: (value) => value instanceof TypeValue,
  uint: (value) => value instanceof UintValue,
};

function takesItems(type: Type, list: readonly Value[]): boolean {
  const item = type.parameters[0];
  return item === undefined || item.kind === "list" || isOfKind(item, list[0] ?? null);
}
