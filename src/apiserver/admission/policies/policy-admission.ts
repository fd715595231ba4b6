import type { MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from "#api/generated/types.ts";
import type { Log } from "#base/log.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { AdmissionFunction } from "#apiserver/admission/admission.ts";
import { targetOf, type Target } from "#apiserver/admission/matching/target.ts";
import {
  mutatingPolicyOf,
  validatingPolicyOf,
} from "#apiserver/admission/policies/compiled-policy.ts";
import { mutateByPolicies } from "#apiserver/admission/policies/mutate.ts";
import { createPolicyMetrics } from "#apiserver/admission/policies/policy-metrics.ts";
import { PolicyIndex } from "#apiserver/admission/policies/policy-index.ts";
import { validateByPolicies } from "#apiserver/admission/policies/validate.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";

export interface PolicyAdmission extends Disposable {
  readonly mutating: AdmissionFunction;
  readonly validating: AdmissionFunction;
}

export interface PolicyParts {
  readonly cache: StoreCache;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

/** Carries out the policies that are bound. Without any, a write passes without a promise being made. */
export function createPolicyAdmission(parts: PolicyParts): PolicyAdmission {
  const validating = new PolicyIndex({
    ...parts,
    resource: "validatingadmissionpolicies",
    bindings: "validatingadmissionpolicybindings",
    compile: (policy) => validatingPolicyOf(policy as unknown as ValidatingAdmissionPolicy),
  });
  const mutating = new PolicyIndex({
    ...parts,
    resource: "mutatingadmissionpolicies",
    bindings: "mutatingadmissionpolicybindings",
    compile: (policy) => mutatingPolicyOf(policy as unknown as MutatingAdmissionPolicy),
  });
  const metrics = createPolicyMetrics(parts.metrics);
  return {
    validating: asking(validating, (bound, target) => validateByPolicies(bound, target, metrics)),
    mutating: asking(mutating, mutateByPolicies),
    [Symbol.dispose]: () => {
      validating[Symbol.dispose]();
      mutating[Symbol.dispose]();
    },
  };
}

function asking<Policy extends { readonly name: string }>(
  index: PolicyIndex<Policy>,
  act: (bound: PolicyIndex<Policy>["bound"], target: Target) => Promise<void>,
): AdmissionFunction {
  return (call, attempt) => {
    const { bound } = index;
    if (bound.length === 0) return undefined;
    const { group, resource } = call.kind;
    if (
      group === "admissionregistration.k8s.io" &&
      /^(?:validating|mutating)admissionpolic/.test(resource)
    ) {
      return undefined;
    }
    return act(bound, targetOf(call, attempt));
  };
}
