import type {
  MatchResources,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "#api/generated/types.ts";
import { checkMatchConditions, checkRule } from "#api/strategies/registration/admission-rules.ts";
import {
  checkAuditAnnotations,
  checkParamKind,
  checkParamRef,
  checkPolicyName,
  checkValidation,
  PolicyNames,
} from "#api/strategies/registration/policy-expressions.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

export const validatingAdmissionPolicyStrategy = strategyFor<ValidatingAdmissionPolicy>({
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
    const names = new PolicyNames(spec.paramKind);
    checkParamKind(field.child("paramKind"), spec.paramKind);
    checkMatchConditions(
      field.child("matchConditions"),
      itemsOf(spec.matchConditions),
      names.checkCondition,
    );
    names.checkVariables(field.child("variables"), itemsOf(spec.variables));
    if (itemsOf(spec.validations).length === 0 && itemsOf(spec.auditAnnotations).length === 0) {
      const rule = "validations or auditAnnotations must contain at least one item";
      field.child("validations").required(rule);
      field.child("auditAnnotations").required(rule);
    }
    for (const [index, validation] of itemsOf(spec.validations).entries()) {
      checkValidation(field.child("validations").index(index), validation, names);
    }
    const policyName = policy.metadata?.name ?? "";
    const own = { policy: policyName, names };
    checkAuditAnnotations(field.child("auditAnnotations"), itemsOf(spec.auditAnnotations), own);
    const match = field.child("matchConstraints");
    if (!spec.matchConstraints) match.required();
    else if (itemsOf(spec.matchConstraints.resourceRules).length === 0) {
      match.child("resourceRules").required();
    } else checkMatch(match, spec.matchConstraints);
  },
});

export const validatingAdmissionPolicyBindingStrategy =
  strategyFor<ValidatingAdmissionPolicyBinding>({
    hasGeneration: true,
    unconditionalUpdate: false,
    fillDefaults: (binding) => fillMatch(binding.spec?.matchResources),
    validate(root, binding) {
      const field = root.child("spec");
      const spec = binding.spec ?? {};
      checkPolicyName(field.child("policyName"), spec.policyName);
      checkParamRef(field.child("paramRef"), spec.paramRef);
      const actions = itemsOf(spec.validationActions);
      if (actions.length === 0) field.child("validationActions").required();
      for (const [index, action] of actions.entries()) {
        checkOneOf(field.child("validationActions").index(index), action, [
          "Audit",
          "Deny",
          "Warn",
        ]);
      }
      if (actions.includes("Deny") && actions.includes("Warn")) {
        const rule =
          "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        field.child("validationActions").invalid(actions, rule);
      }
      if (spec.matchResources) checkMatch(field.child("matchResources"), spec.matchResources);
    },
  });

export function fillMatch(match: Filling<MatchResources> | null | undefined): void {
  if (!match) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) {
    if (rule) setWhereUnset(rule, { scope: "*" });
  }
}

export function checkMatch(field: Field, match: Given<MatchResources>): void {
  checkLabelSelector(field.child("namespaceSelector"), match.namespaceSelector);
  checkLabelSelector(field.child("objectSelector"), match.objectSelector);
  for (const name of ["resourceRules", "excludeResourceRules"] as const) {
    for (const [index, rule] of itemsOf(match[name]).entries()) {
      checkRule(field.child(name).index(index), rule);
    }
  }
}
