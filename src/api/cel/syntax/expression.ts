import type { Value } from "#api/cel/value.ts";

/** A parsed expression. `at` is where it stands in the source, in characters. */
export type Expression =
  | LiteralExpression
  | IdentifierExpression
  | SelectExpression
  | CallExpression
  | ListExpression
  | MapExpression
  | StructExpression
  | FoldExpression;

export interface LiteralExpression {
  readonly kind: "literal";
  readonly at: number;
  readonly value: Value;
}

export interface IdentifierExpression {
  readonly kind: "identifier";
  readonly at: number;
  readonly name: string;
}

export interface SelectExpression {
  readonly kind: "select";
  readonly at: number;
  readonly operand: Expression;
  readonly field: string;
  /** `has(a.b)`: asks whether the field is there. */
  readonly isTest: boolean;
}

export interface CallExpression {
  readonly kind: "call";
  readonly at: number;
  /** Operators have upstream's names: `_+_`, `_?_:_`, `@in`. */
  readonly name: string;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

export interface ListExpression {
  readonly kind: "list";
  readonly at: number;
  readonly items: readonly { readonly value: Expression; readonly isOptional: boolean }[];
}

export interface MapExpression {
  readonly kind: "map";
  readonly at: number;
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly at: number;
  readonly key: Expression;
  readonly value: Expression;
  readonly isOptional: boolean;
}

export interface StructExpression {
  readonly kind: "struct";
  readonly at: number;
  readonly name: string;
  readonly fields: readonly StructField[];
}

export interface StructField {
  readonly at: number;
  readonly name: string;
  readonly value: Expression;
  readonly isOptional: boolean;
}

/**
 * What all macros over lists and maps become: the accumulator begins as `initial` and becomes `step` for each entry
 * of `range` while `condition` holds; then `result` is the value.
 */
export interface FoldExpression {
  readonly kind: "fold";
  readonly at: number;
  readonly range: Expression;
  readonly variable: string;
  /** With it, `variable` is the key or index and this the value. */
  readonly secondVariable: string | undefined;
  readonly accumulator: string;
  readonly initial: Expression;
  readonly condition: Expression;
  readonly step: Expression;
  readonly result: Expression;
}

/** The accumulator of macros; no source can name it. */
export const accumulatorName = "@result";

/** `a.b.c` where the expression is nothing but names. */
export function qualifiedNameOf(expression: Expression): string | undefined {
  if (expression.kind === "identifier") return expression.name;
  if (expression.kind !== "select" || expression.isTest) return undefined;
  const prefix = qualifiedNameOf(expression.operand);
  return prefix === undefined ? undefined : `${prefix}.${expression.field}`;
}
