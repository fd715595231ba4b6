import {
  admissionEnvironment,
  compileFor,
  type CompiledFor,
} from "#api/cel/admission/environment.ts";
import type { Environment } from "#api/cel/environment.ts";
import { boolType } from "#api/cel/type.ts";
import type { MatchCondition } from "#api/generated/types.ts";
import {
  admissionVariables,
  type Shown,
} from "#apiserver/admission/expressions/admission-variables.ts";
import {
  conditionsCostMax,
  CostBudget,
  OutOfBudget,
} from "#apiserver/admission/expressions/cost-budget.ts";

/** Match conditions that are ready to be asked. */
export type CompiledConditions = readonly CompiledFor[];

const environments = new Map<boolean, Environment>();

/** `hasParams`: those of a policy that has a `paramKind`. */
export function compileConditions(
  conditions: readonly MatchCondition[],
  { hasParams }: { readonly hasParams: boolean },
): CompiledConditions {
  let environment = environments.get(hasParams);
  if (environment === undefined) {
    environment = admissionEnvironment({ hasParams, hasAuthorizer: true });
    environments.set(hasParams, environment);
  }
  const known = environment;
  return conditions.map(({ expression }) => compileFor(expression, known, [boolType]));
}

/** Whether all conditions hold. One that does not decides, whatever else goes wrong. */
export type Met =
  | { readonly met: boolean; readonly error?: undefined }
  | { readonly met?: undefined; readonly error: string };

/** What goes wrong is upstream's text; what to make of it the failure policy says. */
export async function meetsAll(conditions: CompiledConditions, shown: Shown): Promise<Met> {
  if (conditions.length === 0) return { met: true };
  return shown.answers.whenAnswered(() => decide(conditions, shown));
}

function decide(conditions: CompiledConditions, shown: Shown): Met {
  const variables = admissionVariables(shown);
  const budget = new CostBudget(conditionsCostMax);
  const errors: string[] = [];
  try {
    for (const { program, error } of conditions) {
      if (program === undefined) {
        errors.push(`compilation error: ${error}`);
        continue;
      }
      const outcome = budget.run(program, variables);
      if (outcome.error !== undefined) errors.push(outcome.error);
      else if (outcome.value !== true) return { met: false };
    }
  } catch (error) {
    if (error instanceof OutOfBudget) return { error: error.message };
    throw error;
  }
  if (errors.length === 0) return { met: true };
  return { error: errors.length === 1 ? (errors[0] ?? "") : `[${errors.join(", ")}]` };
}
