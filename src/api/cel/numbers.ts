import {
  double,
  DoubleValue,
  EvaluationError,
  isInt,
  isIntegerNumber,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

const intMin = -(2n ** 63n);
const intMax = 2n ** 63n - 1n;
const uintMax = 2n ** 64n - 1n;

/** An integer of 64 bits, or an `EvaluationError` where it does not fit. */
export function int(value: bigint): number | bigint {
  if (value < intMin || value > intMax) throw new EvaluationError("integer overflow");
  return isSafe(value) ? Number(value) : value;
}

export function uint(value: bigint): UintValue {
  if (value < 0n || value > uintMax) throw new EvaluationError("unsigned integer overflow");
  return new UintValue(value);
}

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** The number of a double; undefined for what is none. */
export function doubleOf(value: Value): number | undefined {
  if (typeof value === "number") return isIntegerNumber(value) ? undefined : value;
  return value instanceof DoubleValue ? value.value : undefined;
}

/** The number of a value that is known to be a double. */
export function numberOf(value: Value): number {
  return doubleOf(value) ?? NaN;
}

/** A number of JSON as the double that its schema says it is. */
export function asDouble(value: Value): Value {
  if (typeof value === "number") return double(value);
  return typeof value === "bigint" ? double(Number(value)) : value;
}

export function addInts(a: number | bigint, b: number | bigint): Value {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return int(BigInt(a) + BigInt(b));
}

export function subtractInts(a: number | bigint, b: number | bigint): Value {
  if (typeof a === "number" && typeof b === "number") {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return int(BigInt(a) - BigInt(b));
}

export function multiplyInts(a: number | bigint, b: number | bigint): Value {
  if (typeof a === "number" && typeof b === "number") {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return int(BigInt(a) * BigInt(b));
}

export function divideInts(a: number | bigint, b: number | bigint): Value {
  if (Number(b) === 0) throw new EvaluationError("division by zero");
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b))
    return Math.trunc(Number(a) / Number(b)) + 0;
  return int(BigInt(a) / BigInt(b));
}

export function remainderOfInts(a: number | bigint, b: number | bigint): Value {
  if (Number(b) === 0) throw new EvaluationError("modulus by zero");
  if (Number.isSafeInteger(a) && Number.isSafeInteger(b)) return (Number(a) % Number(b)) + 0;
  if (BigInt(a) === intMin && BigInt(b) === -1n) throw new EvaluationError("integer overflow");
  return int(BigInt(a) % BigInt(b));
}

/**
 * Numbers of all types by their value: negative, 0 or positive; NaN where one of them is none. Undefined where one
 * is no number.
 */
export function compareNumbers(a: Value, b: Value): number | undefined {
  if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a - b;
  const first = exactOf(a);
  const second = exactOf(b);
  if (first === undefined || second === undefined) return undefined;
  if (Number.isNaN(first) || Number.isNaN(second)) return NaN;
  if (typeof first !== typeof second) return order(Number(first), Number(second));
  return order(first, second);
}

/** An integer is compared with a double as a double, which near 2^63 is not exact, as upstream has it. */
function order(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

function exactOf(value: Value): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (value instanceof DoubleValue || value instanceof UintValue) return value.value;
  return undefined;
}

/** `int(x)` of a double: cut off, where it fits. */
export function intOfDouble(value: number): Value {
  if (Number.isNaN(value) || value <= -(2 ** 63) || value >= 2 ** 63) {
    throw new EvaluationError("integer overflow");
  }
  return int(BigInt(Math.trunc(value)));
}

export function uintOfDouble(value: number): Value {
  if (Number.isNaN(value) || value < 0 || value >= 2 ** 64) {
    throw new EvaluationError("unsigned integer overflow");
  }
  return uint(BigInt(Math.trunc(value)));
}

/** More are out of range whatever they are; to read them all would take long. */
const digitsMax = 24;

/** As Go's `strconv.ParseInt` in base ten has it. */
export function parseInt64(text: string): Value {
  if (!/^[+-]?\d+$/.test(text)) throw new EvaluationError(syntaxText("ParseInt", text));
  const digits = text.replace(/^([+-]?)0+(?=\d)/, "$1").replace("+", "");
  const value = digits.length > digitsMax ? intMax + 1n : BigInt(digits);
  if (value < intMin || value > intMax) throw new EvaluationError(rangeText("ParseInt", text));
  return int(value);
}

export function parseUint64(text: string): Value {
  if (!/^\d+$/.test(text)) throw new EvaluationError(syntaxText("ParseUint", text));
  const digits = text.replace(/^0+(?=\d)/, "");
  const value = digits.length > digitsMax ? uintMax + 1n : BigInt(digits);
  if (value > uintMax) throw new EvaluationError(rangeText("ParseUint", text));
  return uint(value);
}

export function parseDouble(text: string): Value {
  const special = specialDoubles[text.toLowerCase().replace("+", "")];
  if (special !== undefined) return double(special);
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) {
    throw new EvaluationError(syntaxText("ParseFloat", text));
  }
  return double(Number(text));
}

const specialDoubles: Readonly<Record<string, number>> = {
  nan: NaN,
  inf: Infinity,
  infinity: Infinity,
  "-inf": -Infinity,
  "-infinity": -Infinity,
};

function syntaxText(what: string, text: string): string {
  return `strconv.${what}: parsing ${quoted(text)}: invalid syntax`;
}

/** Long texts are cut: messages are for people. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function rangeText(what: string, text: string): string {
  return `strconv.${what}: parsing ${quoted(text)}: value out of range`;
}

/** A double as Go's `%g` writes it: `1e+06`, `0.1`, `NaN`. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  const padded = String(Math.abs(power)).padStart(2, "0");
  return `${digits}e${power < 0 ? "-" : "+"}${padded}`;
}

/** An int, uint or double negated. */
export function negate(value: Value): Value {
  if (isInt(value)) return typeof value === "number" ? 0 - value : int(-value);
  const number = doubleOf(value);
  if (number === undefined) throw new EvaluationError("no such overload");
  return double(-number);
}
