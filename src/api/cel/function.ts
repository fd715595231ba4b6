import type { CallCost } from "#api/cel/cost/call-cost.ts";
import { readSignature, type Signature } from "#api/cel/signature.ts";
import type { Value } from "#api/cel/value.ts";

/** A function of the language in one of its forms. */
export interface Overload extends Signature {
  /** The values are of the kinds that the signature names. Throws `EvaluationError`. */
  readonly run: (...args: Value[]) => Value;
  /** Absent: one. */
  readonly cost: CallCost | undefined;
  /** Equality, `in`, conditions and the like, which estimates treat on their own. */
  readonly role: OverloadRole | undefined;
}

export type OverloadRole =
  | "addList"
  | "addText"
  | "condition"
  | "indexList"
  | "indexMap"
  | "junction";

/** A row of a library: name, signature, what it does. */
export interface FunctionRow {
  readonly name: string;
  readonly signature: string;
  readonly run: (...args: Value[]) => Value;
  readonly cost?: CallCost;
  readonly role?: OverloadRole;
}

/**
 * A row whose implementation says which values it takes: the signature is checked against the values before every
 * call, so that is what it gets.
 */
export function row(
  name: string,
  signature: string,
  run: (...args: never[]) => Value,
  extra: Pick<FunctionRow, "cost" | "role"> = {},
): FunctionRow {
  return { name, signature, run: run as (...args: Value[]) => Value, ...extra };
}

export type FunctionTable = ReadonlyMap<string, readonly Overload[]>;

export function tableOf(rows: readonly FunctionRow[]): FunctionTable {
  const table = new Map<string, Overload[]>();
  for (const { name, signature, run, cost, role } of rows) {
    const overloads = table.get(name) ?? [];
    overloads.push({ ...readSignature(signature), run, cost, role });
    table.set(name, overloads);
  }
  return table;
}
