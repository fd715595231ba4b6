import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
} from "#api/generated/types.ts";
import { checkMatch, fillMatch } from "#api/strategies/registration/admission.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkRequired } from "#api/validation/checks.ts";
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
    const mutations = itemsOf(spec.mutations);
    if (mutations.length === 0) {
      field.child("mutations").required("mutations must contain at least one item");
    }
    for (const [index, mutation] of mutations.entries()) {
      const at = field.child("mutations").index(index);
      const types = ["ApplyConfiguration", "JSONPatch"];
      checkOneOf(at.child("patchType"), mutation.patchType, types);
      const name = mutation.patchType === "JSONPatch" ? "jsonPatch" : "applyConfiguration";
      if (!types.includes(mutation.patchType ?? "")) continue;
      checkRequired(at.child(name, "expression"), mutation[name]?.expression?.trim());
    }
    const match = field.child("matchConstraints");
    if (!spec.matchConstraints) match.required();
    else if (itemsOf(spec.matchConstraints.resourceRules).length === 0) {
      match.child("resourceRules").required();
    } else checkMatch(match, spec.matchConstraints);
  },
});

export const mutatingAdmissionPolicyBindingStrategy = strategyFor<MutatingAdmissionPolicyBinding>({
  hasGeneration: true,
  unconditionalUpdate: false,
  fillDefaults: (binding) => fillMatch(binding.spec?.matchResources),
  validate(root, binding) {
    const field = root.child("spec");
    checkRequired(field.child("policyName"), binding.spec?.policyName);
    const match = binding.spec?.matchResources;
    if (match) checkMatch(field.child("matchResources"), match);
  },
});
