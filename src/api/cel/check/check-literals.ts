import type { Checked } from "#api/cel/check/checked.ts";
import type {
  CallExpression,
  Expression,
  ListExpression,
  MapExpression,
} from "#api/cel/syntax/expression.ts";
import type { Problem } from "#api/cel/syntax/problem.ts";
import { parseDuration, parseTimestamp } from "#api/cel/time.ts";
import { dynType, formatType, isSameType, type Type, withoutOptional } from "#api/cel/type.ts";
import { isInt, type Value } from "#api/cel/value.ts";
import { compilePattern } from "#api/custom/pattern.ts";

interface Literals {
  readonly checked: Checked;
  readonly problems: Problem[];
  /** Lists and maps may hold anything. */
  readonly isMixed: boolean;
}

/**
 * What is written out must be what it stands for: durations, timestamps and patterns must be some, lists and maps
 * hold values of one type, except where they are arguments of `format`.
 */
export function checkLiterals(checked: Checked, isMixed: boolean): readonly Problem[] {
  const problems: Problem[] = [];
  visit(checked.expression, { checked, problems, isMixed });
  return problems;
}

function visit(expression: Expression, literals: Literals): void {
  if (expression.kind === "call") checkCall(expression, literals);
  if (expression.kind === "list" && !literals.isMixed) checkList(expression, literals);
  if (expression.kind === "map" && !literals.isMixed) checkMap(expression, literals);
  const isFormat = expression.kind === "call" && expression.name === "format";
  const inside = isFormat ? { ...literals, isMixed: true } : literals;
  for (const inner of innerOf(expression)) visit(inner, inside);
}

function checkCall({ name, target, args }: CallExpression, { problems }: Literals): void {
  const isSecond = name === "matches" && target === undefined;
  const literal = args[isSecond ? 1 : 0];
  if (literal?.kind !== "literal") return;
  if (!isRight(name, literal.value)) {
    problems.push({ at: literal.at, message: `invalid ${name} argument` });
  }
  if (name !== "find" && name !== "findAll") return;
  const message = typeof literal.value === "string" ? patternProblem(literal.value) : undefined;
  if (message !== undefined) problems.push({ at: literal.at, message });
}

function isRight(name: string, value: Value): boolean {
  switch (name) {
    case "duration":
      return typeof value !== "string" || parseDuration(value) !== undefined;
    case "timestamp":
      if (isInt(value)) return value >= -62_135_596_800 && value <= 253_402_300_799;
      return typeof value !== "string" || parseTimestamp(value) !== undefined;
    case "matches":
      return typeof value !== "string" || patternProblem(value) === undefined;
    default:
      return true;
  }
}

function patternProblem(text: string): string | undefined {
  try {
    compilePattern(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "bad pattern";
  }
}

function checkList({ items }: ListExpression, literals: Literals): void {
  const [first, ...rest] = items.map(({ value, isOptional }) => {
    return { at: value.at, type: typeOf(literals, value, isOptional) };
  });
  const wrong = rest.find(({ type }) => first !== undefined && !isSameType(first.type, type));
  if (first !== undefined && wrong !== undefined)
    note(literals, { ...wrong, expected: first.type });
}

function checkMap({ entries }: MapExpression, literals: Literals): void {
  const [first, ...rest] = entries;
  if (first === undefined) return;
  const keys = typeOf(literals, first.key, false);
  const values = typeOf(literals, first.value, first.isOptional);
  for (const { key, value, isOptional } of rest) {
    const keyType = typeOf(literals, key, false);
    const type = typeOf(literals, value, isOptional);
    if (!isSameType(keys, keyType)) note(literals, { at: key.at, type: keyType, expected: keys });
    if (!isSameType(values, type)) note(literals, { at: value.at, type, expected: values });
  }
}

function typeOf({ checked }: Literals, value: Expression, isOptional: boolean): Type {
  const type = checked.typeOf(value);
  return isOptional ? withoutOptional(type) : (type ?? dynType);
}

interface Mismatch {
  readonly at: number;
  readonly type: Type;
  readonly expected: Type;
}

function note({ problems }: Literals, { at, type, expected }: Mismatch): void {
  const message = `expected type '${formatType(expected)}' but found '${formatType(type)}'`;
  problems.push({ at, message });
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
