/** What an expression can be: CEL's types, and the shapes of objects that somebody declared. */
export interface Type {
  readonly kind: TypeKind;
  /** The name in messages: `int`, `list`, `kubernetes.URL`, a type parameter's letter. */
  readonly name: string;
  /** The items of a list, key and values of a map, the type of a type, what is optional. */
  readonly parameters: readonly Type[];
  /** The fields of a struct that the expression may name; read when looked at, for shapes may contain themselves. */
  readonly fieldOf?: (field: string) => Type | undefined;
  /** The field of the data under a field's escaped name; absent where names are what they are. */
  readonly dataField?: (field: string) => string;
  /** How long a string, list or map can become by its schema; for estimates of cost. */
  readonly sizeMax?: number;
  /** Lists that are sets, or maps by the values of these keys, are compared and joined as such. */
  readonly keyedBy?: "item" | readonly string[];
  /** There are such lists somewhere inside. */
  readonly holdsKeyedLists?: boolean;
  /** A nullable value, like protobuf's wrappers: null may be compared and assigned. */
  readonly nullable?: boolean;
}

export type TypeKind =
  | "bool"
  | "bytes"
  | "double"
  | "duration"
  | "dyn"
  | "error"
  | "int"
  | "list"
  | "map"
  | "null"
  | "opaque"
  | "parameter"
  | "string"
  | "struct"
  | "timestamp"
  | "type"
  | "uint";

function simple(kind: TypeKind, name: string): Type {
  return { kind, name, parameters: [] };
}

export const boolType = simple("bool", "bool");
export const bytesType = simple("bytes", "bytes");
export const doubleType = simple("double", "double");
export const durationType = simple("duration", "google.protobuf.Duration");
export const dynType = simple("dyn", "dyn");
export const errorType = simple("error", "!error!");
export const intType = simple("int", "int");
export const nullType = simple("null", "null_type");
export const stringType = simple("string", "string");
export const timestampType = simple("timestamp", "google.protobuf.Timestamp");
export const uintType = simple("uint", "uint");

export function listOf(item: Type, sizeMax?: number): Type {
  return {
    kind: "list",
    name: "list",
    parameters: [item],
    ...(sizeMax !== undefined && { sizeMax }),
  };
}

export function mapOf(key: Type, value: Type, sizeMax?: number): Type {
  const size = sizeMax === undefined ? {} : { sizeMax };
  return { kind: "map", name: "map", parameters: [key, value], ...size };
}

/** The type of a value that is itself a type: `type(1)` is of `type(int)`. */
export function typeOfType(type?: Type): Type {
  return { kind: "type", name: "type", parameters: type === undefined ? [] : [type] };
}

export function optionalOf(type: Type): Type {
  return opaqueType("optional_type", [type]);
}

export function opaqueType(name: string, parameters: readonly Type[] = []): Type {
  return { kind: "opaque", name, parameters };
}

export function parameterType(name: string): Type {
  return { kind: "parameter", name, parameters: [] };
}

export interface StructShape {
  readonly fieldOf: (field: string) => Type | undefined;
  readonly dataField?: (field: string) => string;
}

export function structType(name: string, shape: StructShape): Type {
  return { kind: "struct", name, parameters: [], ...shape };
}

/** The same type, whatever sizes are known of it. */
export function isSameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  return (
    a.kind === b.kind &&
    a.name === b.name &&
    a.nullable === b.nullable &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((parameter, index) => isSameType(parameter, b.parameters[index] ?? dynType))
  );
}

export function isOptional(type: Type): boolean {
  return type.kind === "opaque" && type.name === "optional_type";
}

/** What an optional value is when it is there; other types as they are. */
export function withoutOptional(type: Type): Type {
  return isOptional(type) ? (type.parameters[0] ?? dynType) : type;
}

export function isDynamic(type: Type): boolean {
  return type.kind === "dyn" || type.kind === "error";
}

export function itemTypeOf(type: Type): Type {
  return type.parameters[0] ?? dynType;
}

export function valueTypeOf(type: Type): Type {
  return type.parameters[1] ?? dynType;
}

/** A type as upstream's messages write it: `map(string, list(int))`. */
export function formatType(type: Type): string {
  if (type.nullable) return `wrapper(${formatType({ ...type, nullable: false })})`;
  const short = shortNames[type.kind];
  if (short !== undefined) return short;
  if (type.parameters.length === 0) return type.name;
  return `${type.name}(${type.parameters.map(formatType).join(", ")})`;
}

const shortNames: { readonly [kind in TypeKind]?: string } = {
  duration: "duration",
  null: "null",
  timestamp: "timestamp",
};
