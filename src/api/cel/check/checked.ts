import type { Overload } from "#api/cel/function.ts";
import type { Expression } from "#api/cel/syntax/expression.ts";
import type { Type } from "#api/cel/type.ts";

/** What a name or a call turned out to mean. */
export type Reference =
  | { readonly kind: "variable"; readonly name: string }
  /** A variable that a macro made. */
  | { readonly kind: "local"; readonly name: string }
  | { readonly kind: "type"; readonly type: Type }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly overloads: readonly Overload[];
      readonly args: readonly Expression[];
    };

/** An expression whose types are known. */
export interface Checked {
  readonly expression: Expression;
  readonly type: Type;
  typeOf(expression: Expression): Type;
  referenceOf(expression: Expression): Reference | undefined;
  /** The variables of the environment that it names. */
  readonly variables: ReadonlySet<string>;
}
