import { CostExceededError, type Value } from "#api/cel/value.ts";

/** The values of an environment's variables, by name; getters are asked when the expression names them. */
export type Variables = Readonly<Record<string, Value>>;

/** One evaluation: the variables, what macros keep, and what it has cost so far. */
export class Frame {
  readonly variables: Variables;
  readonly slots: Value[] = [];
  readonly #limit: number;
  cost = 0;

  constructor(variables: Variables, limit: number) {
    this.variables = variables;
    this.#limit = limit;
  }

  spend(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#limit) throw new CostExceededError();
  }
}

/** A part of an expression, ready to run. Throws `EvaluationError` and `CostExceededError`. */
export type Step = (frame: Frame) => Value;
