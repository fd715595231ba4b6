import { sizeOf } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { optionalItem } from "#api/cel/run/select.ts";
import {
  CelObject,
  DoubleValue,
  EvaluationError,
  noValue,
  OptionalValue,
  UintValue,
  type Value,
} from "#api/cel/value.ts";

/** Values that may be there or not. */
export const optionals: readonly FunctionRow[] = [
  row("optional.of", "(A) optional(A)", (value: Value) => new OptionalValue(value)),
  row("optional.ofNonZeroValue", "(A) optional(A)", (value: Value) =>
    isZero(value) ? noValue : new OptionalValue(value),
  ),
  row("optional.none", "() optional(A)", () => noValue),
  row("optional.unwrap", "(list(optional(A))) list(A)", unwrap),
  row("unwrapOpt", "list(optional(A)).() list(A)", unwrap),
  row("value", "optional(A).() A", (value: OptionalValue) => {
    if (value.content === undefined) throw new EvaluationError("optional.none() dereference");
    return value.content;
  }),
  row("hasValue", "optional(A).() bool", (value: OptionalValue) => value.content !== undefined),
  row("or", "optional(A).(optional(A)) optional(A)", unreachable),
  row("orValue", "optional(A).(A) A", unreachable),
  row("_[?_]", "(list(A), int) optional(A)", optionalItem),
  row("_[?_]", "(optional(list(A)), int) optional(A)", optionalItem),
  row("_[?_]", "(map(A, B), A) optional(B)", optionalItem),
  row("_[?_]", "(optional(map(A, B)), A) optional(B)", optionalItem),
  row("_[_]", "(optional(list(A)), int) optional(A)", optionalItem),
  row("_[_]", "(optional(map(A, B)), A) optional(B)", optionalItem),
  row("first", "list(A).() optional(A)", (list: readonly Value[]) => new OptionalValue(list[0])),
  row("last", "list(A).() optional(A)", (list: readonly Value[]) => new OptionalValue(list.at(-1))),
];

/** Nothing, the number 0, an empty text, list or map. */
function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0) return true;
  if (value instanceof DoubleValue || value instanceof UintValue) return Number(value.value) === 0;
  if (value instanceof OptionalValue) return value.content === undefined;
  const size = sizeOf(value);
  return size === undefined ? value instanceof CelObject && value.isZero : size === 0;
}

function unwrap(list: readonly Value[]): Value {
  return list.flatMap((item): Value[] => {
    if (!(item instanceof OptionalValue)) throw new EvaluationError("value is not optional");
    return item.content === undefined ? [] : [item.content];
  });
}

/** The builder works out the second only where it is needed. */
function unreachable(): Value {
  throw new EvaluationError("no such overload");
}
