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
  optionalOf,
  stringType,
  timestampType,
  type Type,
  typeOfType,
  uintType,
} from "#api/cel/type.ts";

/**
 * A value as expressions see it. JSON stands for itself, frozen or not, and is never converted:
 * - an integer is a JavaScript number, or a bigint beyond what a number holds exactly;
 * - a double is a number that is no integer, or a `DoubleValue` where it is one (`1.0`);
 * - lists are arrays; maps and objects are plain objects, or a `MapValue` that an expression made.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | CelObject
  | { readonly [field: string]: Value };

/** A value that JSON does not have. */
export abstract class CelObject {
  abstract readonly type: Type;

  /** Asked of another value of the same class only. */
  abstract equals(other: CelObject): boolean;

  /** The value is a zero of its type: what `optional.ofNonZeroValue` leaves out. */
  get isZero(): boolean {
    return false;
  }
}

export class DoubleValue extends CelObject {
  readonly type = doubleType;
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }

  equals(other: CelObject): boolean {
    return other instanceof DoubleValue && other.value === this.value;
  }
}

/** A number that is a double whatever it looks like. */
export function double(value: number): Value {
  return isIntegerNumber(value) ? new DoubleValue(value) : value;
}

export class UintValue extends CelObject {
  readonly type = uintType;
  readonly value: bigint;

  constructor(value: bigint) {
    super();
    this.value = value;
  }

  equals(other: CelObject): boolean {
    return other instanceof UintValue && other.value === this.value;
  }
}

export class TypeValue extends CelObject {
  readonly type = typeOfType();
  readonly named: Type;

  constructor(named: Type) {
    super();
    this.named = named;
  }

  equals(other: CelObject): boolean {
    return other instanceof TypeValue && nameOfType(other.named) === nameOfType(this.named);
  }
}

/** Types are compared by name alone: `type([1]) == list`. */
function nameOfType(type: Type): string {
  return type.name;
}

export class OptionalValue extends CelObject {
  readonly type = optionalOf(dynType);
  readonly #value: Value | undefined;

  constructor(value: Value | undefined) {
    super();
    this.#value = value;
  }

  /** Undefined where there is none. */
  get content(): Value | undefined {
    return this.#value;
  }

  equals(other: CelObject): boolean {
    if (!(other instanceof OptionalValue)) return false;
    return this.#value === undefined
      ? other.content === undefined
      : other.content !== undefined && contentsEqual(this.#value, other.content);
  }
}

/** Set by `equality.ts`, which knows all values. */
let contentsEqual: (a: Value, b: Value) => boolean = (a, b) => a === b;

export function onContentsEqual(compare: (a: Value, b: Value) => boolean): void {
  contentsEqual = compare;
}

export const noValue = new OptionalValue(undefined);

/** A moment in seconds since 1970 and nanoseconds. */
export class TimestampValue extends CelObject {
  readonly type = timestampType;
  readonly seconds: number;
  readonly nanos: number;
  /** How far the clocks are ahead where it was written; for writing it again. */
  readonly offsetSeconds: number;

  constructor(seconds: number, nanos: number, offsetSeconds = 0) {
    super();
    this.seconds = seconds;
    this.nanos = nanos;
    this.offsetSeconds = offsetSeconds;
  }

  equals(other: CelObject): boolean {
    return (
      other instanceof TimestampValue &&
      other.seconds === this.seconds &&
      other.nanos === this.nanos
    );
  }

  /** The first moment that there is. */
  override get isZero(): boolean {
    return this.seconds === -62_135_596_800 && this.nanos === 0;
  }
}

export class DurationValue extends CelObject {
  readonly type = durationType;
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }

  equals(other: CelObject): boolean {
    return other instanceof DurationValue && other.nanos === this.nanos;
  }

  override get isZero(): boolean {
    return this.nanos === 0n;
  }
}

/** A map that an expression wrote: its keys may be integers and booleans. */
export class MapValue extends CelObject {
  readonly type = mapOf(dynType, dynType);
  readonly #entries = new Map<string | number | boolean | bigint, { key: Value; value: Value }>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    const identity = identityOf(key);
    return identity === undefined ? undefined : this.#entries.get(identity)?.value;
  }

  /** False where the key is there already or can be no key. */
  add(key: Value, value: Value): boolean {
    const identity = identityOf(key);
    if (identity === undefined || this.#entries.has(identity)) return false;
    this.#entries.set(identity, { key, value });
    return true;
  }

  keys(): Value[] {
    return Array.from(this.#entries.values(), (entry) => entry.key);
  }

  equals(other: CelObject): boolean {
    if (!(other instanceof MapValue) || other.size !== this.size) return false;
    for (const { key, value } of this.#entries.values()) {
      const theirs = other.get(key);
      if (theirs === undefined || !contentsEqual(value, theirs)) return false;
    }
    return true;
  }
}

/** Keys are equal across the types of numbers: `{1: "a"}[1u]` and `[1.0]` are there. */
function identityOf(key: Value): string | number | boolean | bigint | undefined {
  if (typeof key === "string" || typeof key === "boolean") return key;
  if (typeof key === "number") return Number.isInteger(key) ? key : undefined;
  if (typeof key === "bigint") return key;
  if (key instanceof DoubleValue) return key.value + 0;
  if (key instanceof UintValue) {
    return key.value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(key.value) : key.value;
  }
  return undefined;
}

/** Fields whose values are worked out when asked for: `variables.a` of a policy. */
export class LazyFields extends CelObject {
  readonly type: Type;
  readonly #get: (field: string) => Value | undefined;

  constructor(type: Type, get: (field: string) => Value | undefined) {
    super();
    this.type = type;
    this.#get = get;
  }

  get(field: string): Value | undefined {
    return this.#get(field);
  }

  equals(other: CelObject): boolean {
    return other === this;
  }
}

/** An object that an expression made of a declared type: `Object.spec{replicas: 3}`. */
export class StructValue extends CelObject {
  readonly type: Type;
  readonly fields: ReadonlyMap<string, Value>;

  constructor(type: Type, fields: ReadonlyMap<string, Value>) {
    super();
    this.type = type;
    this.fields = fields;
  }

  equals(other: CelObject): boolean {
    if (!(other instanceof StructValue) || other.type.name !== this.type.name) return false;
    if (other.fields.size !== this.fields.size) return false;
    for (const [name, value] of this.fields) {
      const theirs = other.fields.get(name);
      if (theirs === undefined || !contentsEqual(value, theirs)) return false;
    }
    return true;
  }

  override get isZero(): boolean {
    return this.fields.size === 0;
  }
}

/** The expression went wrong at run time: `no such key: a`. Conditions may absorb it. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

/** The expression cost more than it may; nothing absorbs that. */
export class CostExceededError extends Error {
  override readonly name = "CostExceededError";

  constructor() {
    super("operation cancelled: actual cost limit exceeded");
  }
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** A JSON object. */
export function isFields(value: Value): value is { readonly [field: string]: Value } {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof CelObject) &&
    !(value instanceof Uint8Array)
  );
}

/**
 * The number is taken for an integer: it has no fraction and fits into 64 bits. 2^63 is what JSON's largest integer
 * becomes in JavaScript.
 */
export function isIntegerNumber(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 63) && value <= 2 ** 63;
}

export function isInt(value: Value): value is number | bigint {
  return typeof value === "number" ? isIntegerNumber(value) : typeof value === "bigint";
}

/** The type of a value at run time. Lists and maps do not tell what they hold. */
export function typeOfValue(value: Value): Type {
  switch (typeof value) {
    case "string":
      return stringType;
    case "boolean":
      return boolType;
    case "bigint":
      return intType;
    case "number":
      return isIntegerNumber(value) ? intType : doubleType;
  }
  if (value === null) return nullType;
  if (value instanceof CelObject) return value.type;
  if (value instanceof Uint8Array) return bytesType;
  return Array.isArray(value) ? listOf(dynType) : mapOf(dynType, dynType);
}
