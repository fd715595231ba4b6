import { formatType } from "#api/cel/type.ts";
import type { Variables } from "#api/cel/run/frame.ts";
import { typeOfValue } from "#api/cel/value.ts";
import type { Shown } from "#apiserver/admission/expressions/admission-variables.ts";
import {
  CostBudget,
  OutOfBudget,
  policyCostMax,
} from "#apiserver/admission/expressions/cost-budget.ts";
import { meetsAll } from "#apiserver/admission/expressions/match-conditions.ts";
import type {
  CompiledValidation,
  ValidatingPolicy,
} from "#apiserver/admission/policies/compiled-policy.ts";
import { policyVariables } from "#apiserver/admission/policies/policy-variables.ts";

/** Why a policy is against a request. */
export interface Objection {
  readonly message: string;
  readonly reason: string;
  /** The place of the expression among the policy's validations. */
  readonly index: number;
  /** It failed, rather than said no. */
  readonly isError: boolean;
}

export interface Judgement {
  readonly objections: readonly Objection[];
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
  /** What went wrong with annotations: the request is refused for it whatever the binding's actions are. */
  readonly failures: readonly string[];
}

const nothing: Judgement = { objections: [], annotations: [], failures: [] };

/** What a policy says of a request, with one set of parameters. Failures count as its failure policy has it. */
export async function judge(policy: ValidatingPolicy, shown: Shown): Promise<Judgement> {
  const met = await meetsAll(policy.conditions, shown);
  if (met.error !== undefined) return failed(policy, met.error);
  if (!met.met) return nothing;
  return shown.answers.whenAnswered(() => judgeAt(policy, shown));
}

function failed(policy: ValidatingPolicy, message: string): Judgement {
  if (policy.ignoresFailures) return nothing;
  return { ...nothing, objections: [{ message, reason: "Invalid", index: 0, isError: true }] };
}

function judgeAt(policy: ValidatingPolicy, shown: Shown): Judgement {
  const budget = new CostBudget(policyCostMax);
  const variables = policyVariables(policy, shown, budget);
  try {
    const objections = policy.validations.flatMap((validation, index) => {
      return validationObjects(policy, validation, { index, variables, budget });
    });
    return { ...annotate(policy, shown), objections };
  } catch (error) {
    if (error instanceof OutOfBudget) return failed(policy, error.message);
    throw error;
  }
}

interface Running {
  readonly index: number;
  readonly variables: Variables;
  readonly budget: CostBudget;
}

function validationObjects(
  policy: ValidatingPolicy,
  validation: CompiledValidation,
  { index, variables, budget }: Running,
): readonly Objection[] {
  const { compiled, reason } = validation;
  const failure = (message: string): readonly Objection[] =>
    policy.ignoresFailures ? [] : [{ message, reason: "Invalid", index, isError: true }];
  if (compiled.program === undefined) return failure(`compilation error: ${compiled.error}`);
  const outcome = budget.run(compiled.program, variables);
  if (outcome.error !== undefined) return failure(outcome.error);
  if (outcome.value === true) return [];
  const message = messageOf(validation, variables, budget);
  return [{ message, reason, index, isError: false }];
}

const messageBytesMax = 5 * 1024;

function messageOf(
  { source, message, messageExpression }: CompiledValidation,
  variables: Variables,
  budget: CostBudget,
): string {
  const program = messageExpression?.program;
  const outcome = program && budget.run(program, variables);
  const text = typeof outcome?.value === "string" ? outcome.value.trim() : "";
  const isUsable = !text.includes("\n") && new TextEncoder().encode(text).length <= messageBytesMax;
  if (text !== "" && isUsable) return text;
  return message.trim() || `failed expression: ${source.trim()}`;
}

/** Annotations have a budget of their own. */
function annotate(policy: ValidatingPolicy, shown: Shown): Omit<Judgement, "objections"> {
  const annotations: { key: string; value: string }[] = [];
  const failures: string[] = [];
  if (policy.annotations.length === 0) return { annotations, failures };
  const budget = new CostBudget(policyCostMax);
  const variables = policyVariables(policy, shown, budget);
  for (const { key, source, compiled } of policy.annotations) {
    const outcome =
      compiled.program === undefined
        ? { error: `compilation error: ${compiled.error}` }
        : budget.run(compiled.program, variables);
    if (outcome.error !== undefined) {
      if (!policy.ignoresFailures) failures.push(outcome.error);
    } else if (typeof outcome.value === "string") {
      const value = outcome.value.trim();
      if (value !== "") annotations.push({ key, value });
    } else if (outcome.value !== null) {
      const type = formatType(typeOfValue(outcome.value));
      failures.push(
        `valueExpression '${source}' resulted in unsupported return type: ${type}. Return type must be either string or null.`,
      );
    }
  }
  return { annotations, failures };
}
