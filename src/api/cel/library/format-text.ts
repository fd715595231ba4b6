import { doubleOf, formatDouble } from "#api/cel/numbers.ts";
import { formatDuration, formatTimestamp } from "#api/cel/time.ts";
import { formatType } from "#api/cel/type.ts";
import {
  DurationValue,
  EvaluationError,
  isFields,
  isInt,
  isList,
  MapValue,
  TimestampValue,
  TypeValue,
  typeOfValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

/**
 * `"%d of %s".format([1, "x"])`, as the version of the library does that Kubernetes has: numbers are grouped,
 * exponents are written with superscripts, texts in lists stand in quotes.
 */
export function formatText(pattern: string, args: readonly Value[]): string {
  let used = 0;
  let length = 0;
  const text = pattern.replace(
    /%(?:%|(?:\.(\d+))?([^%]?))/g,
    (clause, precision?: string, verb = "") => {
      if (clause === "%%") return "%";
      const formatted = formatClause(String(verb), precision, () => {
        const arg = args[used];
        if (arg === undefined) throw new EvaluationError(`index ${used} out of range`);
        used += 1;
        return arg;
      });
      length += formatted.length;
      if (length > resultLettersMax) throw new EvaluationError("the text would be too long");
      return formatted;
    },
  );
  if (used < args.length) {
    throw new EvaluationError(
      `too many arguments supplied to string.format (expected ${used}, got ${args.length})`,
    );
  }
  return text;
}

const resultLettersMax = 2 ** 24;
const precisionMax = 100;

function formatClause(verb: string, precision: string | undefined, next: () => Value): string {
  const places = precision === undefined ? 6 : Number(precision);
  if (places > precisionMax)
    throw new EvaluationError("could not parse formatting clause: precision is too large");
  switch (verb) {
    case "s":
      return textOf(next());
    case "d":
      return decimalOf(next());
    case "f":
      return fixedOf(doubleArgument(next(), "fixed-point"), places);
    case "e":
      return scientificOf(doubleArgument(next(), "scientific"), places);
    case "b":
      return binaryOf(next());
    case "o":
      return wholeOf(next(), "octal clause").toString(8);
    case "x":
      return hexOf(next());
    case "X":
      return hexOf(next()).toUpperCase();
    default:
      throw new EvaluationError(
        `could not parse formatting clause: unrecognized formatting clause ${JSON.stringify(verb)}`,
      );
  }
}

function textOf(value: Value): string {
  if (typeof value === "string") return value;
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (isInt(value)) return String(BigInt(value));
  if (value instanceof UintValue) return String(value.value);
  const number = doubleOf(value);
  if (number !== undefined) return formatDouble(number);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof TimestampValue) return formatTimestamp(value);
  if (value instanceof DurationValue) return formatDuration(value);
  if (value instanceof TypeValue) return formatType(value.named);
  if (isList(value)) return `[${value.map(innerText).join(", ")}]`;
  if (isFields(value)) return mapText(Object.entries(value));
  if (value instanceof MapValue) {
    return mapText(value.keys().map((key) => [key, value.get(key) ?? null]));
  }
  throw wrongArgument(
    "string clause",
    "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
    value,
  );
}

function mapText(entries: readonly (readonly [Value, Value])[]): string {
  const texts = entries.map(([key, value]) => `${innerText(key)}:${innerText(value)}`);
  return `{${texts.toSorted().join(", ")}}`;
}

/** Within a list or map texts are quoted and doubles have their places. */
function innerText(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `b${JSON.stringify(textOf(value))}`;
  if (value instanceof TimestampValue) return `timestamp(${JSON.stringify(textOf(value))})`;
  if (value instanceof DurationValue) return `duration(${JSON.stringify(textOf(value))})`;
  const number = doubleOf(value);
  if (number === undefined) return textOf(value);
  return Number.isFinite(number) ? roundedText(number, 6) : JSON.stringify(fixedOf(number, 6));
}

function wrongArgument(clause: string, allowed: string, value: Value): EvaluationError {
  const given = formatType(typeOfValue(value));
  return new EvaluationError(
    `error during formatting: ${clause} can only be used on ${allowed}, was given ${given}`,
  );
}

function wholeOf(value: Value, clause: string): bigint {
  if (isInt(value)) return BigInt(value);
  if (value instanceof UintValue) return value.value;
  throw wrongArgument(clause, "integers", value);
}

function decimalOf(value: Value): string {
  return String(wholeOf(value, "decimal clause"));
}

function binaryOf(value: Value): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  if (isInt(value) || value instanceof UintValue) return wholeOf(value, "").toString(2);
  throw wrongArgument("binary clause", "integers and bools", value);
}

function hexOf(value: Value): string {
  if (typeof value === "string") return hexOfBytes(new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return hexOfBytes(value);
  if (isInt(value) || value instanceof UintValue) return wholeOf(value, "").toString(16);
  throw wrongArgument("hex clause", "integers, byte buffers, and strings", value);
}

function hexOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function doubleArgument(value: Value, clause: string): number {
  const number = doubleOf(value);
  if (number !== undefined) return number;
  if (value === "NaN") return NaN;
  if (value === "Infinity") return Infinity;
  if (value === "-Infinity") return -Infinity;
  throw wrongArgument(`${clause} clause`, "doubles", value);
}

function unusual(value: number): string | undefined {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? "∞" : "-∞";
}

function fixedOf(value: number, places: number): string {
  const special = unusual(value);
  if (special !== undefined) return special;
  const [whole = "", fraction] = roundedText(value, places).split(".");
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** Rounded to even where two texts are equally near, which `toFixed` does not. */
function roundedText(value: number, places: number): string {
  const text = plainFixed(value, places);
  const exact = plainFixed(value, 100).replace(/0+$/, "");
  const digits = exact.split(".")[1] ?? "";
  if (places > 99 || digits.length !== places + 1 || !digits.endsWith("5")) return text;
  const down = exact.slice(0, -1).replace(/\.$/, "");
  return /[02468]$/.test(down) ? down : text;
}

function plainFixed(value: number, places: number): string {
  if (Math.abs(value) < 1e21) return value.toFixed(places);
  return places === 0 ? String(BigInt(value)) : `${BigInt(value)}.${"0".repeat(places)}`;
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function scientificOf(value: number, places: number): string {
  const special = unusual(value);
  if (special !== undefined) return special;
  const [digits = "", exponent = "0"] = value.toExponential(places).split("e");
  const power = Number(exponent);
  const raised = String(Math.abs(power))
    .padStart(2, "0")
    .replace(/\d/g, (digit) => superscripts[Number(digit)] ?? "");
  return `${digits}×10${power < 0 ? "⁻" : ""}${raised}`;
}
