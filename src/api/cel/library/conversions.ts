import { bytesToStringCost, stringToBytesCost } from "#api/cel/cost/call-cost.ts";
import { sizeOf } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import {
  formatDouble,
  int,
  intOfDouble,
  numberOf,
  parseDouble,
  parseInt64,
  parseUint64,
  uint,
  uintOfDouble,
} from "#api/cel/numbers.ts";
import {
  formatDuration,
  formatTimestamp,
  parseDuration,
  parseTimestamp,
  timestamp,
} from "#api/cel/time.ts";
import {
  double,
  DurationValue,
  EvaluationError,
  type TimestampValue,
  TypeValue,
  typeOfValue,
  type UintValue,
  type Value,
} from "#api/cel/value.ts";

const same = (value: Value): Value => value;

/** From one type to another, and how large something is. */
export const conversions: readonly FunctionRow[] = [
  ...["string", "bytes", "list(A)", "map(A, B)"].flatMap((type) => [
    row("size", `(${type}) int`, (value: Value) => sizeOf(value) ?? 0),
    row("size", `${type}.() int`, (value: Value) => sizeOf(value) ?? 0),
  ]),
  row("type", "(A) type(A)", (value: Value) => new TypeValue(typeOfValue(value))),
  row("dyn", "(A) dyn", same),
  row("bool", "(bool) bool", same),
  row("bool", "(string) bool", parseBool),
  row("bytes", "(bytes) bytes", same),
  row("bytes", "(string) bytes", (text: string) => new TextEncoder().encode(text), {
    cost: stringToBytesCost,
  }),
  row("double", "(double) double", same),
  row("double", "(int) double", (value: number | bigint) => double(Number(value))),
  row("double", "(string) double", parseDouble),
  row("double", "(uint) double", ({ value }: UintValue) => double(Number(value))),
  row("duration", "(duration) duration", same),
  row("duration", "(int) duration", (nanos: number | bigint) => new DurationValue(BigInt(nanos))),
  row("duration", "(string) duration", readDuration),
  row("int", "(int) int", same),
  row("int", "(double) int", (value: Value) => intOfDouble(numberOf(value))),
  row("int", "(duration) int", ({ nanos }: DurationValue) => int(nanos)),
  row("int", "(string) int", parseInt64),
  row("int", "(timestamp) int", ({ seconds }: TimestampValue) => seconds),
  row("int", "(uint) int", ({ value }: UintValue) => int(value)),
  row("string", "(string) string", same),
  row("string", "(bool) string", String),
  row("string", "(bytes) string", decodeText, { cost: bytesToStringCost }),
  row("string", "(double) string", (value: Value) => formatDouble(numberOf(value))),
  row("string", "(duration) string", formatDuration),
  row("string", "(int) string", (value: number | bigint) => String(BigInt(value))),
  row("string", "(timestamp) string", formatTimestamp),
  row("string", "(uint) string", ({ value }: UintValue) => String(value)),
  row("timestamp", "(timestamp) timestamp", same),
  row("timestamp", "(int) timestamp", (seconds: number | bigint) => timestamp(Number(seconds), 0)),
  row("timestamp", "(string) timestamp", readTimestamp),
  row("uint", "(uint) uint", same),
  row("uint", "(double) uint", (value: Value) => uintOfDouble(numberOf(value))),
  row("uint", "(int) uint", (value: number | bigint) => uint(BigInt(value))),
  row("uint", "(string) uint", parseUint64),
];

function parseBool(text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new EvaluationError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new EvaluationError("invalid UTF-8 in bytes, cannot convert to string");
  }
}

function readDuration(text: string): Value {
  const found = parseDuration(text);
  if (found === undefined)
    throw new EvaluationError(`time: invalid duration ${JSON.stringify(text)}`);
  return found;
}

function readTimestamp(text: string): Value {
  const found = parseTimestamp(text);
  if (found === undefined)
    throw new EvaluationError(`cannot parse ${JSON.stringify(text)} as a timestamp`);
  return found;
}
