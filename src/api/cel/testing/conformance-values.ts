import { int } from "#api/cel/numbers.ts";
import { parseDuration, parseTimestamp } from "#api/cel/time.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  opaqueType,
  parameterType,
  stringType,
  timestampType,
  type Type,
  typeOfType,
  uintType,
} from "#api/cel/type.ts";
import { double, MapValue, TypeValue, UintValue, type Value } from "#api/cel/value.ts";

/** A value or type of protobuf, which Kubernetes does not have. */
export class Unsupported extends Error {}

/** A `cel.expr.Value` as JSON. */
export interface WireValue {
  readonly int64Value?: string;
  readonly uint64Value?: string;
  readonly doubleValue?: number | string;
  readonly boolValue?: boolean;
  readonly nullValue?: null;
  readonly stringValue?: string;
  readonly bytesValue?: string;
  readonly listValue?: { readonly values?: readonly WireValue[] };
  readonly mapValue?: {
    readonly entries?: readonly { readonly key: WireValue; readonly value: WireValue }[];
  };
  readonly typeValue?: string;
  readonly objectValue?: { readonly "@type": string; readonly value?: string };
}

export function expectedValue(wire: WireValue): Value {
  if (wire.int64Value !== undefined) return int(BigInt(wire.int64Value));
  if (wire.uint64Value !== undefined) return new UintValue(BigInt(wire.uint64Value));
  if (wire.doubleValue !== undefined) return double(Number(wire.doubleValue));
  if (wire.boolValue !== undefined) return wire.boolValue;
  if (wire.stringValue !== undefined) return wire.stringValue;
  if (wire.bytesValue !== undefined) {
    return Uint8Array.from(atob(wire.bytesValue), (letter) => letter.charCodeAt(0));
  }
  if (wire.listValue !== undefined) return (wire.listValue.values ?? []).map(expectedValue);
  if (wire.mapValue !== undefined) {
    const map = new MapValue();
    for (const { key, value } of wire.mapValue.entries ?? []) {
      map.add(expectedValue(key), expectedValue(value));
    }
    return map;
  }
  if (wire.typeValue !== undefined) return new TypeValue(typeNamed(wire.typeValue));
  if (wire.objectValue !== undefined) return wellKnown(wire.objectValue);
  return null;
}

function wellKnown({ "@type": type, value = "" }: NonNullable<WireValue["objectValue"]>): Value {
  const found = type.endsWith("Timestamp") ? parseTimestamp(value) : parseDuration(value);
  if (!/(?:Timestamp|Duration)$/.test(type) || found === undefined) throw new Unsupported(type);
  return found;
}

function typeNamed(name: string): Type {
  return names[name] ?? opaqueType(name);
}

const names: Readonly<Record<string, Type>> = {
  int: intType,
  uint: uintType,
  double: doubleType,
  bool: boolType,
  string: stringType,
  bytes: bytesType,
  list: listOf(dynType),
  map: mapOf(dynType, dynType),
  type: typeOfType(),
  null_type: nullType,
  "google.protobuf.Timestamp": timestampType,
  "google.protobuf.Duration": durationType,
};

/** A `cel.expr.Type` as JSON. */
export interface WireType {
  readonly primitive?: string;
  readonly listType?: { readonly elemType?: WireType };
  readonly mapType?: { readonly keyType: WireType; readonly valueType: WireType };
  readonly dyn?: unknown;
  readonly wellKnown?: string;
  readonly wrapper?: string;
  readonly null?: unknown;
  readonly abstractType?: { readonly name: string; readonly parameterTypes?: readonly WireType[] };
  readonly typeParam?: string;
  readonly type?: WireType;
}

const primitives: Readonly<Record<string, Type>> = {
  INT64: intType,
  UINT64: uintType,
  DOUBLE: doubleType,
  BOOL: boolType,
  STRING: stringType,
  BYTES: bytesType,
};

export function readType(wire: WireType): Type {
  if (wire.primitive !== undefined) return primitives[wire.primitive] ?? dynType;
  if (wire.listType !== undefined) return listOf(readType(wire.listType.elemType ?? { dyn: {} }));
  if (wire.mapType !== undefined) {
    return mapOf(readType(wire.mapType.keyType), readType(wire.mapType.valueType));
  }
  if (wire.wellKnown === "TIMESTAMP") return timestampType;
  if (wire.wellKnown === "DURATION") return durationType;
  if (wire.wrapper !== undefined) {
    return { ...(primitives[wire.wrapper] ?? dynType), nullable: true };
  }
  if (wire.abstractType !== undefined) {
    const { name, parameterTypes = [] } = wire.abstractType;
    return opaqueType(name, parameterTypes.map(readType));
  }
  if (wire.typeParam !== undefined) return parameterType(wire.typeParam);
  if (wire.type !== undefined) return typeOfType(readType(wire.type));
  if (wire.dyn !== undefined || wire.wellKnown === "ANY") return dynType;
  if ("null" in wire) return nullType;
  throw new Unsupported(JSON.stringify(wire));
}
