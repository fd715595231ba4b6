import type { Step } from "#api/cel/run/frame.ts";
import type { Expression } from "#api/cel/syntax/expression.ts";
import type { Value } from "#api/cel/value.ts";

/** A part that is ready; `constant` where it is the same each time and costs nothing. */
export interface Built {
  readonly run: Step;
  readonly constant?: Value;
}

export function constant(value: Value): Built {
  return { run: () => value, constant: value };
}

/** What begins with a variable is one attribute to upstream, whose parts cost one each. */
export function isAttribute(expression: Expression): boolean {
  if (expression.kind === "identifier") return true;
  if (expression.kind === "select") return !expression.isTest && isAttribute(expression.operand);
  if (expression.kind !== "call" || expression.name !== "_[_]") return false;
  return expression.args[0] !== undefined && isAttribute(expression.args[0]);
}
