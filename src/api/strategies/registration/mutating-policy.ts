import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
} from "#api/generated/types.ts";
import { checkMatch, fillMatch } from "#api/strategies/registration/admission.ts";
import { checkMatchConditions } from "#api/strategies/registration/admission-rules.ts";
import {
  checkMutatingOperations,
  checkMutation,
  checkParamKind,
  checkParamRef,
  checkPolicyName,
  PolicyNames,
} from "#api/strategies/registration/policy-expressions.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import { itemsOf } from "#api/validation/given.ts";

export const mutatingAdmissionPolicyStrategy = strategyFor<MutatingAdmissionPolicy>({
  hasGeneration: true,
  unconditionalUpdate: false,
  fillDefaults(policy) {
    const { spec } = policy;
    if (!spec) return;
    spec.failurePolicy ??= "Fail";
    fillMatch(spec.matchConstraints);
  },
  validate(root, policy) {
    const field = root.child("spec");
    const spec = policy.spec ?? {};
    checkOneOf(field.child("failurePolicy"), spec.failurePolicy, ["Fail", "Ignore"]);
    checkOneOf(field.child("reinvocationPolicy"), spec.reinvocationPolicy, ["IfNeeded", "Never"]);
    const names = new PolicyNames(spec.paramKind, true);
    checkParamKind(field.child("paramKind"), spec.paramKind);
    const conditions = itemsOf(spec.matchConditions);
    checkMatchConditions(field.child("matchConditions"), conditions, names.checkCondition);
    names.checkVariables(field.child("variables"), itemsOf(spec.variables));
    const mutations = itemsOf(spec.mutations);
    if (mutations.length === 0) {
      field.child("mutations").required("mutations must contain at least one item");
    }
    for (const [index, mutation] of mutations.entries()) {
      checkMutation(field.child("mutations").index(index), mutation, names);
    }
    const match = field.child("matchConstraints");
    if (!spec.matchConstraints) match.required();
    else if (itemsOf(spec.matchConstraints.resourceRules).length === 0) {
      match.child("resourceRules").required();
    } else {
      checkMatch(match, spec.matchConstraints);
      checkMutatingOperations(match, itemsOf(spec.matchConstraints.resourceRules));
    }
  },
});

export const mutatingAdmissionPolicyBindingStrategy = strategyFor<MutatingAdmissionPolicyBinding>({
  hasGeneration: true,
  unconditionalUpdate: false,
  fillDefaults: (binding) => fillMatch(binding.spec?.matchResources),
  validate(root, binding) {
    const field = root.child("spec");
    checkPolicyName(field.child("policyName"), binding.spec?.policyName);
    checkParamRef(field.child("paramRef"), binding.spec?.paramRef);
    const match = binding.spec?.matchResources;
    if (!match) return;
    checkMatch(field.child("matchResources"), match);
    checkMutatingOperations(field.child("matchResources"), itemsOf(match.resourceRules));
  },
});
