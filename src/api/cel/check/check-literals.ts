import type { Checked } from "#api/cel/check/checked.ts";
import type { Expression } from "#api/cel/syntax/expression.ts";
import type { Problem } from "#api/cel/syntax/problem.ts";
import { parseDuration, parseTimestamp } from "#api/cel/time.ts";
import { compilePattern } from "#api/custom/pattern.ts";

/** Durations, timestamps and patterns that are written out must be some. */
export function checkLiterals(checked: Checked): readonly Problem[] {
  const problems: Problem[] = [];
  visit(checked.expression, (expression) => {
    if (expression.kind !== "call") return;
    const literal =
      expression.args[expression.target === undefined && expression.name === "matches" ? 1 : 0];
    if (literal?.kind !== "literal" || typeof literal.value !== "string") return;
    const problem = problemOf(expression.name, literal.value);
    if (problem !== undefined) problems.push({ at: literal.at, message: problem });
  });
  return problems;
}

function problemOf(name: string, text: string): string | undefined {
  switch (name) {
    case "duration":
      return parseDuration(text) === undefined ? "invalid duration argument" : undefined;
    case "timestamp":
      return parseTimestamp(text) === undefined ? "invalid timestamp argument" : undefined;
    case "matches":
      return isPattern(text) ? undefined : "invalid matches argument";
    default:
      return undefined;
  }
}

function isPattern(text: string): boolean {
  try {
    compilePattern(text);
    return true;
  } catch {
    return false;
  }
}

function visit(expression: Expression, look: (expression: Expression) => void): void {
  look(expression);
  for (const inner of innerOf(expression)) visit(inner, look);
}

function innerOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "select":
      return [expression.operand];
    case "call":
      return expression.target === undefined
        ? expression.args
        : [expression.target, ...expression.args];
    case "list":
      return expression.items.map((item) => item.value);
    case "map":
      return expression.entries.flatMap((entry) => [entry.key, entry.value]);
    case "struct":
      return expression.fields.map((field) => field.value);
    case "fold":
      return [
        expression.range,
        expression.initial,
        expression.condition,
        expression.step,
        expression.result,
      ];
    default:
      return [];
  }
}
