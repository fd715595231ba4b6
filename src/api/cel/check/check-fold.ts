import type { Checker } from "#api/cel/check/checker.ts";
import { Scope } from "#api/cel/check/scope.ts";
import type { Expression, FoldExpression } from "#api/cel/syntax/expression.ts";
import {
  boolType,
  dynType,
  errorType,
  intType,
  itemTypeOf,
  type Type,
  valueTypeOf,
} from "#api/cel/type.ts";

/** The type of a loop: that of its result, in which the accumulator is known. */
export function checkFold(checker: Checker, fold: FoldExpression): Type {
  const range = checker.substitutions.apply(checker.check(fold.range));
  const accumulator = checker.check(fold.initial);
  const outer = checker.scope;
  const around = new Scope(outer);
  around.declare(fold.accumulator, accumulator);
  const inside = new Scope(around);
  const [first, second] = variableTypes(checker, fold, range);
  inside.declare(fold.variable, first);
  if (fold.secondVariable !== undefined) inside.declare(fold.secondVariable, second);
  checker.scope = inside;
  assertType(checker, fold.condition, boolType);
  assertType(checker, fold.step, accumulator);
  checker.scope = around;
  const result = checker.check(fold.result);
  checker.scope = outer;
  return checker.substitutions.apply(result);
}

function assertType(checker: Checker, expression: Expression, wanted: Type): void {
  const found = checker.check(expression);
  if (!checker.substitutions.assign(wanted, found)) checker.mismatch(expression.at, wanted, found);
}

function variableTypes(
  checker: Checker,
  { range: expression, secondVariable }: FoldExpression,
  range: Type,
): readonly [Type, Type] {
  switch (range.kind) {
    case "list":
      return secondVariable === undefined
        ? [itemTypeOf(range), dynType]
        : [intType, itemTypeOf(range)];
    case "map":
      return [itemTypeOf(range), valueTypeOf(range)];
    case "dyn":
    case "error":
    case "parameter":
      checker.substitutions.assign(dynType, range);
      return [dynType, dynType];
    default:
      checker.note(
        expression.at,
        `expression of type '${checker.format(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
      );
      return [errorType, errorType];
  }
}
