import { evaluate } from "#api/cel/compile-expression.ts";
import type { Variables } from "#api/cel/run/frame.ts";
import { EvaluationError, LazyFields, type Value } from "#api/cel/value.ts";
import {
  admissionVariables,
  type Shown,
} from "#apiserver/admission/expressions/admission-variables.ts";
import type { CostBudget } from "#apiserver/admission/expressions/cost-budget.ts";
import type {
  MutatingPolicy,
  ValidatingPolicy,
} from "#apiserver/admission/policies/compiled-policy.ts";

/** What the expressions of a policy see; its own variables are worked out when one of them asks, once. */
export function policyVariables(
  policy: ValidatingPolicy | MutatingPolicy,
  shown: Shown,
  budget: CostBudget,
): Variables {
  const known = new Map<string, Value | EvaluationError>();
  const find = (name: string): Value | EvaluationError | undefined => {
    const one = policy.variables.find((variable) => variable.name === name)?.compiled;
    if (one === undefined) return undefined;
    const label = `composited variable ${JSON.stringify(name)}`;
    if (one.program === undefined) {
      return new EvaluationError(`${label} fails to compile: ${one.error}`);
    }
    const outcome = evaluate(one.program, variables);
    budget.spend(outcome.cost);
    if (outcome.ok) return outcome.value;
    return new EvaluationError(`${label} fails to evaluate: ${outcome.error.message}`);
  };
  const get = (name: string): Value | undefined => {
    const value = known.get(name) ?? find(name);
    if (value !== undefined) known.set(name, value);
    if (value instanceof EvaluationError) throw value;
    return value;
  };
  const variables = admissionVariables(shown, new LazyFields(policy.variablesType, get));
  return variables;
}
