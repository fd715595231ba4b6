import type { Variables } from "#api/cel/run/frame.ts";
import { isList, type Value } from "#api/cel/value.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { StatusError } from "#api/status.ts";
import { notAdmitted, roundsFor, type Rounds } from "#apiserver/admission/admission.ts";
import type { Shown } from "#apiserver/admission/expressions/admission-variables.ts";
import { CostBudget, policyCostMax } from "#apiserver/admission/expressions/cost-budget.ts";
import { meetsAll } from "#apiserver/admission/expressions/match-conditions.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import { matchedForm } from "#apiserver/admission/matching/matching.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { applyConfiguration } from "#apiserver/admission/policies/apply-configuration.ts";
import { BindingProblem, collectParams } from "#apiserver/admission/policies/collect-params.ts";
import type {
  CompiledMutation,
  MutatingPolicy,
} from "#apiserver/admission/policies/compiled-policy.ts";
import { jsonOf } from "#apiserver/admission/policies/json-of.ts";
import type { Binding, Bound } from "#apiserver/admission/policies/policy-index.ts";
import { policyVariables } from "#apiserver/admission/policies/policy-variables.ts";
import { Showing } from "#apiserver/admission/policies/showing.ts";
import { matched } from "#apiserver/admission/policies/validate.ts";
import { takeOver } from "#apiserver/admission/webhooks/take-over.ts";
import { cloneJson, sameJson } from "#apiserver/objects/json.ts";

/**
 * Lets every policy that is bound to the request change its object, one after the other. A change brings back, in a
 * second round, those before it that want that.
 */
export async function mutateByPolicies(
  bound: readonly Bound<MutatingPolicy>[],
  target: Target,
): Promise<void> {
  if (target.attempt.object === undefined) return;
  const rounds = roundsFor(target.attempt);
  const turns = turnsIn(rounds);
  const { object } = target.attempt;
  if (rounds.isSecond && !sameJson(turns.lastSeen, object)) turns.callBack();
  const mutating: Mutating = { target, rounds, turns, showing: new Showing(target) };
  for (const { policy, bindings } of bound) {
    const form = matched(() => matchedForm(policy.matching, target));
    if (form instanceof Error)
      refuse(mutating, policy, undefined, `failed to configure policy: ${form.message}`);
    else if (form !== undefined) {
      for (const binding of bindings) await mutateBy(mutating, { policy, binding, form });
    }
  }
  turns.lastSeen = cloneJson(object);
}

interface Mutating {
  readonly target: Target;
  readonly rounds: Rounds;
  readonly turns: Turns;
  readonly showing: Showing;
}

interface Acting {
  readonly policy: MutatingPolicy;
  readonly binding: Binding;
  readonly form: Form;
}

/** Which policies have acted under which bindings, and which of them are to act again. */
class Turns {
  readonly acted = new Set<string>();
  readonly again = new Set<string>();
  lastSeen: JsonObject | undefined;

  callBack(): void {
    for (const key of this.acted) this.again.add(key);
    this.acted.clear();
  }
}

const turnsKey = Symbol("policies");

function turnsIn(rounds: Rounds): Turns {
  const known = rounds.notes.get(turnsKey);
  if (known instanceof Turns) return known;
  const turns = new Turns();
  rounds.notes.set(turnsKey, turns);
  return turns;
}

async function mutateBy(mutating: Mutating, acting: Acting): Promise<void> {
  const { target, rounds, turns } = mutating;
  const { policy, binding } = acting;
  const { matching } = binding;
  const form = matching && matched(() => matchedForm(matching, target));
  if (form instanceof Error) {
    return refuse(mutating, policy, binding, `failed to configure binding: ${form.message}`);
  }
  const key = `${policy.name}/${binding.name}`;
  if (matching !== undefined && form === undefined) return;
  if (rounds.isSecond && !turns.again.has(key)) return;
  if (await changes(mutating, acting)) {
    turns.callBack();
    rounds.again = true;
  }
  if (policy.again) turns.acted.add(key);
}

async function changes(mutating: Mutating, acting: Acting): Promise<boolean> {
  const { policy, binding } = acting;
  try {
    const params = await collectParams(mutating.target, policy.paramKind, binding.paramRef);
    let changed = false;
    for (const one of params) changed = (await changesWith(mutating, acting, one)) || changed;
    return changed;
  } catch (error) {
    if (!(error instanceof BindingProblem)) throw error;
    refuse(mutating, policy, binding, `failed to configure binding: ${error.message}`);
    return false;
  }
}

async function changesWith(
  mutating: Mutating,
  acting: Acting,
  params: JsonObject | undefined,
): Promise<boolean> {
  const { target, showing } = mutating;
  const { policy, binding, form } = acting;
  const first = await showing.to(form, params);
  const met = await meetsAll(policy.conditions, first);
  if (met.error !== undefined) refuse(mutating, policy, binding, met.error);
  if (!met.met) return false;
  let changed = false;
  for (const mutation of policy.mutations) {
    const shown = await showing.to(form, params);
    if (shown.object === undefined) return changed;
    try {
      const patched = await shown.answers.whenAnswered(() => patchedBy(policy, mutation, shown));
      changed = (await takeOver(target, form, { shown: shown.object, patched })) || changed;
    } catch (error) {
      refuse(mutating, policy, binding, textOf(error));
      return changed;
    }
    showing.forget();
  }
  return changed;
}

/** Text of what an expression or its patch does wrong; a bug goes on. */
function textOf(error: unknown): string {
  if (error instanceof StatusError || error instanceof MutationProblem) return error.message;
  if (error instanceof Error && error.constructor === Error) return error.message;
  if (error instanceof Error && error.name === "OutOfBudget") return error.message;
  throw error;
}

/** A mutation cannot be made. */
class MutationProblem extends Error {}

function patchedBy(policy: MutatingPolicy, mutation: CompiledMutation, shown: Shown): Json {
  const { program, error } = mutation.compiled;
  if (program === undefined) throw new MutationProblem(`compilation error: ${error}`);
  const budget = new CostBudget(policyCostMax);
  const variables: Variables = policyVariables(policy, shown, budget);
  const outcome = budget.run(program, variables);
  if (outcome.error !== undefined) throw new MutationProblem(outcome.error);
  const object = shown.object ?? {};
  return mutation.kind === "JSONPatch"
    ? patchedByOperations(object, outcome.value)
    : patchedByConfiguration(shown, object, outcome.value);
}

function patchedByOperations(object: JsonObject, value: Value): Json {
  const operations = isList(value) ? value.map((one) => jsonOf(one)) : [];
  try {
    return applyJsonPatch(object, operations);
  } catch (error) {
    throw new MutationProblem(`error applying JSON Patch: ${messageOf(error)}`);
  }
}

function patchedByConfiguration({ form }: Shown, object: JsonObject, value: Value): Json {
  try {
    return applyConfiguration(object, value, form.of.schema);
  } catch (error) {
    throw new MutationProblem(messageOf(error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Refuses the request, unless the policy's failures are to be ignored. */
function refuse(
  { target }: Mutating,
  policy: MutatingPolicy,
  binding: Binding | undefined,
  message: string,
): void {
  if (policy.ignoresFailures) return;
  const by =
    binding === undefined
      ? JSON.stringify(policy.name)
      : `'${policy.name}' with binding '${binding.name}'`;
  const text = `policy ${by} denied request: ${message}`;
  const { status } = notAdmitted(target.call, target.attempt, text);
  const isConfiguration = message.startsWith("failed to configure ");
  throw new StatusError({
    code: 403,
    reason: isConfiguration ? "Forbidden" : "Invalid",
    message: text,
    details: { ...status.details, causes: [{ message: text }] },
  });
}
