import { StatusError } from "#api/status.ts";
import { notAdmitted } from "#apiserver/admission/admission.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import { matchedForm } from "#apiserver/admission/matching/matching.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { BindingProblem, collectParams } from "#apiserver/admission/policies/collect-params.ts";
import type { ValidatingPolicy } from "#apiserver/admission/policies/compiled-policy.ts";
import type { PolicyMetrics } from "#apiserver/admission/policies/policy-metrics.ts";
import type { Binding, Bound } from "#apiserver/admission/policies/policy-index.ts";
import { Showing } from "#apiserver/admission/policies/showing.ts";
import {
  judge,
  type Judgement,
  type Objection,
} from "#apiserver/admission/policies/validate-with-policy.ts";

/** Asks every policy that is bound to the request; the first that denies it is the one that is told. */
export async function validateByPolicies(
  bound: readonly Bound<ValidatingPolicy>[],
  target: Target,
  metrics: PolicyMetrics,
): Promise<void> {
  const denials: Denial[] = [];
  const showing = new Showing(target);
  for (const { policy, bindings } of bound) {
    const form = matched(() => matchedForm(policy.matching, target));
    if (form instanceof Error) denials.push(...misconfigured(policy, undefined, form));
    else if (form !== undefined) {
      denials.push(...(await askBindings({ policy, form, showing, target, metrics }, bindings)));
    }
  }
  const [first] = denials;
  if (first !== undefined) throw refusalOf(target, first);
}

interface Denial {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string;
}

interface Asking {
  readonly policy: ValidatingPolicy;
  readonly form: Form;
  readonly showing: Showing;
  readonly target: Target;
  readonly metrics: PolicyMetrics;
}

async function askBindings(
  asking: Asking,
  bindings: readonly Binding[],
): Promise<readonly Denial[]> {
  const { policy, target } = asking;
  const notes = new AnnotationNotes();
  const denials: Denial[] = [];
  for (const binding of bindings) {
    const { matching } = binding;
    const form = matching && matched(() => matchedForm(matching, target));
    if (form instanceof Error) denials.push(...misconfigured(policy, binding, form));
    else if (matching === undefined || form !== undefined) {
      denials.push(...(await askBinding(asking, binding, notes)));
    }
  }
  notes.publish(policy.name, target);
  return denials;
}

async function askBinding(
  asking: Asking,
  binding: Binding,
  notes: AnnotationNotes,
): Promise<readonly Denial[]> {
  const { policy, form, showing, target } = asking;
  try {
    const params = await collectParams(target, policy.paramKind, binding.paramRef);
    const denials: Denial[] = [];
    for (const one of params) {
      const startMs = target.call.server.clock.now();
      const judgement = await judge(policy, await showing.to(form, one));
      observe(asking, binding, { judgement, startMs });
      denials.push(...enforce(asking, binding, judgement));
      for (const { key, value } of judgement.annotations) notes.add(key, value);
    }
    return denials;
  } catch (error) {
    if (error instanceof BindingProblem) return misconfigured(policy, binding, error);
    throw error;
  }
}

function observe(
  { policy, target, metrics }: Asking,
  binding: Binding,
  { judgement, startMs }: { readonly judgement: Judgement; readonly startMs: number },
): void {
  if (judgement.objections.length === 0) return;
  const seconds = (target.call.server.clock.now() - startMs) / 1_000;
  for (const { isError } of judgement.objections) {
    for (const action of ["audit", "deny", "warn"] as const) {
      if (!binding.actions.some((one) => one.toLowerCase() === action)) continue;
      metrics.observe({ policy: policy.name, binding: binding.name, action, isError, seconds });
    }
  }
}

/** Carries out the binding's actions; what is to be denied comes back. */
function enforce(
  { policy, target }: Asking,
  binding: Binding,
  { objections, failures }: Judgement,
): readonly Denial[] {
  const named = { policy: policy.name, binding: binding.name };
  const denials: Denial[] = [];
  for (const objection of objections) {
    const { message, reason } = objection;
    if (binding.actions.includes("Deny")) denials.push({ ...named, message, reason });
    if (binding.actions.includes("Audit")) noteFailure(target, binding, objection);
    if (!binding.actions.includes("Warn")) continue;
    target.call.warnings.add(
      `Validation failed for ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}': ${message}`,
    );
  }
  const more = failures.map((message) => ({ ...named, message, reason: "Invalid" }));
  return [...denials, ...more];
}

function noteFailure(target: Target, binding: Binding, { message, index }: Objection): void {
  const failure = {
    message,
    policy: binding.policyName,
    binding: binding.name,
    expressionIndex: index,
    validationActions: binding.actions,
  };
  const key = "validation.policy.admission.k8s.io/validation_failure";
  annotate(target.call.request, key, JSON.stringify([failure]));
}

function misconfigured(
  policy: ValidatingPolicy,
  binding: Binding | undefined,
  error: Error,
): readonly Denial[] {
  if (policy.ignoresFailures) return [];
  const what = binding === undefined ? "policy" : "binding";
  const message = `failed to configure ${what}: ${error.message}`;
  return [{ policy: policy.name, binding: binding?.name, message, reason: "Invalid" }];
}

export function matched(match: () => Form | undefined): Form | Error | undefined {
  try {
    return match();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
};

function refusalOf({ call, attempt }: Target, { policy, binding, message, reason }: Denial): Error {
  const by = binding === undefined ? "" : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${message}`;
  const { status } = notAdmitted(call, attempt, text);
  return new StatusError({
    code: codes[reason] ?? 422,
    reason,
    message: status.message,
    details: { ...status.details, causes: [...(status.details?.causes ?? []), { message: text }] },
  });
}

const annotationLettersMax = 10 * 1024;

/** What the bindings of one policy say under each key: each value once, joined. */
class AnnotationNotes {
  readonly #values = new Map<string, Set<string>>();

  add(key: string, value: string): void {
    const values = this.#values.get(key) ?? new Set();
    values.add(value.slice(0, annotationLettersMax));
    this.#values.set(key, values);
  }

  publish(policy: string, target: Target): void {
    for (const [key, values] of this.#values) {
      annotate(target.call.request, `${policy}/${key}`, [...values].join(", "));
    }
  }
}
