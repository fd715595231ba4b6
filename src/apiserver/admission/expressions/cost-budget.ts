import { evaluate, type Program } from "#api/cel/compile-expression.ts";
import type { Variables } from "#api/cel/run/frame.ts";
import type { Value } from "#api/cel/value.ts";

/** What the expressions of a policy may cost for one request, and its match conditions: upstream's limits. */
export const policyCostMax = 10_000_000;
export const conditionsCostMax = 2_500_000;

/** The expressions cost more than they may together: none of those that follow is run. */
export class OutOfBudget extends Error {
  override readonly name = "OutOfBudget";

  constructor() {
    super(
      "validation failed due to running out of cost budget, no further validation rules will be run",
    );
  }
}

/** What is left to spend. */
export class CostBudget {
  #left: number;

  constructor(cost: number) {
    this.#left = cost;
  }

  spend(cost: number): void {
    if (cost > this.#left) throw new OutOfBudget();
    this.#left -= cost;
  }

  /** Works an expression out; its error is told as upstream tells it. */
  run(program: Program, variables: Variables): Outcome {
    const outcome = evaluate(program, variables);
    this.spend(outcome.cost);
    if (outcome.ok) return { value: outcome.value };
    const { message } = outcome.error;
    return {
      error: `expression '${program.source}' resulted in error: ${message}`,
      plain: message,
    };
  }
}

export type Outcome =
  | { readonly value: Value; readonly error?: undefined }
  /** `plain` is the error without the expression it came from. */
  | { readonly value?: undefined; readonly error: string; readonly plain: string };
