import {
  comparisonCost,
  concatenationCost,
  listConcatenationCost,
  membershipCost,
} from "#api/cel/cost/call-cost.ts";
import { celCompare, celEquals } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import {
  addInts,
  divideInts,
  multiplyInts,
  negate,
  numberOf,
  remainderOfInts,
  subtractInts,
  uint,
} from "#api/cel/numbers.ts";
import { entryOf } from "#api/cel/run/select.ts";
import { addToTimestamp, betweenTimestamps, duration } from "#api/cel/time.ts";
import { work } from "#api/cel/work.ts";
import {
  double,
  type DurationValue,
  EvaluationError,
  type TimestampValue,
  type UintValue,
  type Value,
} from "#api/cel/value.ts";

/** Conditions, comparisons and arithmetic. */
export const operators: readonly FunctionRow[] = [
  row("_?_:_", "(bool, A, A) A", unreachable, { role: "condition" }),
  row("_&&_", "(bool, bool) bool", unreachable, { role: "junction" }),
  row("_||_", "(bool, bool) bool", unreachable, { role: "junction" }),
  row("!_", "(bool) bool", (value: boolean) => !value),
  row("@not_strictly_false", "(bool) bool", (value: boolean) => value),
  row("_==_", "(A, A) bool", (a: Value, b: Value) => celEquals(a, b), { cost: comparisonCost }),
  row("_!=_", "(A, A) bool", (a: Value, b: Value) => !celEquals(a, b), { cost: comparisonCost }),
  row(
    "@in",
    "(A, list(A)) bool",
    (item: Value, list: readonly Value[]) => list.some((one) => celEquals(one, item)),
    {
      cost: membershipCost,
    },
  ),
  row("@in", "(A, map(A, B)) bool", (key: Value, map: Value) => entryOf(map, key) !== undefined),
  row("_[_]", "(list(A), int) A", unreachable, { role: "indexList" }),
  row("_[_]", "(map(A, B), A) B", unreachable, { role: "indexMap" }),
  row("-_", "(int) int", negate),
  row("-_", "(double) double", negate),
  row("_+_", "(bytes, bytes) bytes", joinBytes, { cost: concatenationCost, role: "addText" }),
  row("_+_", "(double, double) double", (a: Value, b: Value) => double(numberOf(a) + numberOf(b))),
  row("_+_", "(duration, duration) duration", (a: DurationValue, b: DurationValue) =>
    duration(a.nanos + b.nanos),
  ),
  row("_+_", "(duration, timestamp) timestamp", (a: DurationValue, b: TimestampValue) =>
    addToTimestamp(b, a.nanos),
  ),
  row("_+_", "(timestamp, duration) timestamp", (a: TimestampValue, b: DurationValue) =>
    addToTimestamp(a, b.nanos),
  ),
  row("_+_", "(int, int) int", addInts),
  row("_+_", "(list(A), list(A)) list(A)", joinLists, {
    cost: listConcatenationCost,
    role: "addList",
  }),
  row("_+_", "(string, string) string", (a: string, b: string) => a + b, {
    cost: concatenationCost,
    role: "addText",
  }),
  row("_+_", "(uint, uint) uint", (a: UintValue, b: UintValue) => uint(a.value + b.value)),
  row("_-_", "(double, double) double", (a: Value, b: Value) => double(numberOf(a) - numberOf(b))),
  row("_-_", "(duration, duration) duration", (a: DurationValue, b: DurationValue) =>
    duration(a.nanos - b.nanos),
  ),
  row("_-_", "(int, int) int", subtractInts),
  row("_-_", "(timestamp, duration) timestamp", (a: TimestampValue, b: DurationValue) =>
    addToTimestamp(a, -b.nanos),
  ),
  row("_-_", "(timestamp, timestamp) duration", (a: TimestampValue, b: TimestampValue) =>
    betweenTimestamps(b, a),
  ),
  row("_-_", "(uint, uint) uint", (a: UintValue, b: UintValue) => uint(a.value - b.value)),
  row("_*_", "(double, double) double", (a: Value, b: Value) => double(numberOf(a) * numberOf(b))),
  row("_*_", "(int, int) int", multiplyInts),
  row("_*_", "(uint, uint) uint", (a: UintValue, b: UintValue) => uint(a.value * b.value)),
  row("_/_", "(double, double) double", (a: Value, b: Value) => double(numberOf(a) / numberOf(b))),
  row("_/_", "(int, int) int", divideInts),
  row("_/_", "(uint, uint) uint", (a: UintValue, b: UintValue) =>
    uint(a.value / nonZero(b, "division by zero")),
  ),
  row("_%_", "(int, int) int", remainderOfInts),
  row("_%_", "(uint, uint) uint", (a: UintValue, b: UintValue) =>
    uint(a.value % nonZero(b, "modulus by zero")),
  ),
  ...comparison("_<_", (order) => order < 0),
  ...comparison("_<=_", (order) => order <= 0),
  ...comparison("_>_", (order) => order > 0),
  ...comparison("_>=_", (order) => order >= 0),
  row("cel.@mapInsert", "(map(A, B), map(A, B)) map(A, B)", unreachable),
  row("cel.@mapInsert", "(map(A, B), A, B) map(A, B)", unreachable),
];

/** Numbers are compared whatever their types are. */
function comparison(name: string, holds: (order: number) => boolean): FunctionRow[] {
  const run = (a: Value, b: Value): boolean => holds(celCompare(a, b));
  const numbers = ["int", "uint", "double"];
  const plain = ["bool", "timestamp", "duration"];
  return [
    ...numbers.flatMap((a) => numbers.map((b) => row(name, `(${a}, ${b}) bool`, run))),
    ...plain.map((type) => row(name, `(${type}, ${type}) bool`, run)),
    ...["string", "bytes"].map((type) => {
      return row(name, `(${type}, ${type}) bool`, run, { cost: comparisonCost });
    }),
  ];
}

/** What copying an item takes, in steps of `work`. */
const copySteps = 4;

function joinLists(a: readonly Value[], b: readonly Value[]): Value {
  work((a.length + b.length) * copySteps);
  return a.concat(b);
}

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function nonZero({ value }: UintValue, message: string): bigint {
  if (value === 0n) throw new EvaluationError(message);
  return value;
}

/** What the builder treats on its own. */
function unreachable(): Value {
  throw new EvaluationError("no such overload");
}
