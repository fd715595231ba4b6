import { crossCost, listBuildCost, listWalkCost, pairwiseCost } from "#api/cel/cost/call-cost.ts";
import { exactly, unknownSize } from "#api/cel/cost/range.ts";
import { celCompare, celEquals } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { addInts, numberOf, uint } from "#api/cel/numbers.ts";
import { duration } from "#api/cel/time.ts";
import {
  CostExceededError,
  double,
  DurationValue,
  EvaluationError,
  isInt,
  isList,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

type List = readonly Value[];

const comparable = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];
const summable: Readonly<Record<string, Value>> = {
  int: 0,
  uint: new UintValue(0n),
  double: double(0),
  duration: new DurationValue(0n),
};

const walk = { cost: listWalkCost };

/** Kubernetes' library of lists, the language's own third version of one, and sets. */
export const lists: readonly FunctionRow[] = [
  ...comparable.flatMap((type) => [
    row("isSorted", `list(${type}).() bool`, isSorted, walk),
    row(
      "max",
      `list(${type}).() ${type}`,
      (list: List) => best("max", list, (order) => order > 0),
      walk,
    ),
    row(
      "min",
      `list(${type}).() ${type}`,
      (list: List) => best("min", list, (order) => order < 0),
      walk,
    ),
    row("sort", `list(${type}).() list(${type})`, (list: List) => sortBy(list, list), {
      cost: pairwiseCost(0),
    }),
    row("@sortByAssociatedKeys", `list(T).(list(${type})) list(T)`, sortBy, {
      cost: pairwiseCost(1),
    }),
  ]),
  ...Object.entries(summable).map(([type, zero]) => {
    return row("sum", `list(${type}).() ${type}`, (list: List) => list.reduce(plus, zero), walk);
  }),
  row(
    "indexOf",
    "list(A).(A) int",
    (list: List, item: Value) => list.findIndex((one) => celEquals(one, item)),
    walk,
  ),
  row(
    "lastIndexOf",
    "list(A).(A) int",
    (list: List, item: Value) => list.findLastIndex((one) => celEquals(one, item)),
    walk,
  ),
  row("slice", "list(T).(int, int) list(T)", slice, {
    cost: listBuildCost((call) => {
      const from = naturalOf(call.literal(1)) ?? 0;
      const to = naturalOf(call.literal(2)) ?? call.size(0).max;
      return exactly(Math.max(to - from, 0));
    }),
  }),
  row("flatten", "list(list(T)).() list(T)", (list: List) => flatten(list, 1), {
    cost: listBuildCost((call) => call.size(0)),
  }),
  row("flatten", "list(dyn).(int) list(dyn)", flatten, {
    cost: listBuildCost((call) => call.size(0)),
  }),
  row("lists.range", "(int) list(int)", range, {
    cost: listBuildCost((call) => exactly(naturalOf(call.literal(0)) ?? unknownSize.max)),
  }),
  row("reverse", "list(T).() list(T)", (list: List) => list.toReversed(), {
    cost: listBuildCost((call) => call.size(0)),
  }),
  row("distinct", "list(T).() list(T)", distinct, { cost: pairwiseCost(0) }),
  row("sets.contains", "(list(T), list(T)) bool", contains, { cost: crossCost(1) }),
  row(
    "sets.equivalent",
    "(list(T), list(T)) bool",
    (a: List, b: List) => contains(a, b) && contains(b, a),
    {
      cost: crossCost(2),
    },
  ),
  row(
    "sets.intersects",
    "(list(T), list(T)) bool",
    (a: List, b: List) => b.some((item) => has(a, item)),
    {
      cost: crossCost(1),
    },
  ),
];

function naturalOf(value: Value | undefined): number | undefined {
  return value !== undefined && isInt(value) ? Math.max(Number(value), 0) : undefined;
}

function isSorted(list: List): boolean {
  return list.every((item, index) => index === 0 || celCompare(list[index - 1] ?? null, item) <= 0);
}

function best(name: string, list: List, isBetter: (order: number) => boolean): Value {
  const [first, ...rest] = list;
  if (first === undefined) throw new EvaluationError(`${name} called on empty list`);
  return rest.reduce<Value>(
    (found, item) => (isBetter(celCompare(item, found)) ? item : found),
    first,
  );
}

function plus(sum: Value, item: Value): Value {
  if (isInt(sum) && isInt(item)) return addInts(sum, item);
  if (sum instanceof UintValue && item instanceof UintValue) return uint(sum.value + item.value);
  if (sum instanceof DurationValue && item instanceof DurationValue)
    return duration(sum.nanos + item.nanos);
  return double(numberOf(sum) + numberOf(item));
}

function slice(list: List, from: number, to: number): Value {
  if (from < 0 || to < 0) {
    throw new EvaluationError(`cannot slice(${from}, ${to}), negative indexes not supported`);
  }
  if (from > to) {
    throw new EvaluationError(
      `cannot slice(${from}, ${to}), start index must be less than or equal to end index`,
    );
  }
  if (to > list.length) {
    throw new EvaluationError(`cannot slice(${from}, ${to}), list is length ${list.length}`);
  }
  return list.slice(from, to);
}

function flatten(list: List, depth: number): List {
  if (depth < 0) throw new EvaluationError("level must be non-negative");
  const flat: Value[] = [];
  for (const item of list) {
    if (!isList(item) || depth === 0) flat.push(item);
    else for (const inner of flatten(item, depth - 1)) flat.push(inner);
  }
  return flat;
}

/** Longer than any cost allows, so that it is not made before it is counted. */
const rangeMax = 1_000_000;

function range(count: number): Value {
  if (count > rangeMax) throw new CostExceededError();
  return Array.from({ length: Math.max(count, 0) }, (_none, index) => index);
}

function distinct(list: List): Value {
  const seen: Value[] = [];
  for (const item of list) if (!has(seen, item)) seen.push(item);
  return seen;
}

function sortBy(list: List, keys: List): Value {
  if (list.length !== keys.length) {
    throw new EvaluationError(
      "@sortByAssociatedKeys() expected a list of the same size as the associated keys list",
    );
  }
  const pairs = list.map((item, index) => ({ item, key: keys[index] ?? null }));
  return pairs.toSorted((a, b) => celCompare(a.key, b.key)).map(({ item }) => item);
}

function has(list: List, item: Value): boolean {
  return list.some((one) => celEquals(one, item));
}

function contains(list: List, part: List): boolean {
  return part.every((item) => has(list, item));
}
