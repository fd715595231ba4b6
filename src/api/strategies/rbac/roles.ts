import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RbacV1Subject,
  Role,
  RoleBinding,
  RoleRef,
} from "#api/generated/types.ts";
import { dns1123SubdomainProblems, pathSegmentProblems } from "#api/names.ts";
import { expiryAnnotation, readExpiry } from "#api/rbac/binding-expiry.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, itemsOf, objectIn } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const group = "rbac.authorization.k8s.io";

export const roleStrategy = strategyFor<Role>({
  nameRule: "pathSegment",
  createOnUpdate: true,
  validate: (root, role) => checkRules(root, itemsOf(role.rules), true),
});

export const clusterRoleStrategy = strategyFor<ClusterRole>({
  nameRule: "pathSegment",
  createOnUpdate: true,
  validate(root, role) {
    checkRules(root, itemsOf(role.rules), false);
    const aggregated = role.aggregationRule;
    if (!aggregated) return;
    const field = root.child("aggregationRule", "clusterRoleSelectors");
    const selectors = itemsOf(aggregated.clusterRoleSelectors);
    if (selectors.length === 0) {
      field.required("at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (const selector of selectors) checkLabelSelector(field, selector);
  },
});

export const roleBindingStrategy = strategyFor<RoleBinding>({
  nameRule: "pathSegment",
  createOnUpdate: true,
  fillDefaults: fillBinding,
  validate: (root, binding) => checkBinding(root, binding, ["Role", "ClusterRole"]),
  validateUpdate: checkSameRole,
});

export const clusterRoleBindingStrategy = strategyFor<ClusterRoleBinding>({
  nameRule: "pathSegment",
  createOnUpdate: true,
  fillDefaults: fillBinding,
  validate: (root, binding) => checkBinding(root, binding, ["ClusterRole"]),
  validateUpdate: checkSameRole,
});

function checkRules(root: Field, rules: readonly Given<PolicyRule>[], namespaced: boolean): void {
  for (const [index, rule] of rules.entries())
    checkRule(root.child("rules").index(index), rule, namespaced);
}

function checkRule(field: Field, rule: Given<PolicyRule>, namespaced: boolean): void {
  if (itemsOf(rule.verbs).length === 0) {
    field.child("verbs").required("verbs must contain at least one value");
  }
  const urls = itemsOf(rule.nonResourceURLs);
  const resources = itemsOf(rule.resources);
  if (urls.length > 0) {
    const at = field.child("nonResourceURLs");
    if (namespaced) {
      return at.invalid(urls, "namespaced rules cannot apply to non-resource URLs");
    }
    if (
      itemsOf(rule.apiGroups).length + resources.length + itemsOf(rule.resourceNames).length >
      0
    ) {
      at.invalid(urls, "rules cannot apply to both regular resources and non-resource URLs");
    }
    return;
  }
  if (itemsOf(rule.apiGroups).length === 0) {
    field.child("apiGroups").required("resource rules must supply at least one api group");
  }
  if (resources.length === 0) {
    field.child("resources").required("resource rules must supply at least one resource");
  }
}

interface AnyBinding {
  subjects?: Filling<RbacV1Subject>[] | null;
  roleRef?: Filling<RoleRef> | null;
}

function fillBinding(binding: AnyBinding): void {
  objectIn(binding, "roleRef").apiGroup ||= group;
  for (const subject of binding.subjects ?? []) {
    if (subject && subject.kind !== "ServiceAccount") subject.apiGroup ||= group;
  }
}

function checkBinding(root: Field, binding: Given<RoleBinding>, kinds: readonly string[]): void {
  checkExpiry(root, binding);
  const role = binding.roleRef ?? {};
  const field = root.child("roleRef");
  if (role.apiGroup !== group) field.child("apiGroup").notSupported(role.apiGroup ?? "", [group]);
  if (!kinds.includes(role.kind ?? "")) field.child("kind").notSupported(role.kind ?? "", kinds);
  if (role.name) field.child("name").invalidAll(role.name, pathSegmentProblems(role.name));
  else field.child("name").required();
  const namespaced = kinds.length > 1;
  for (const [index, subject] of itemsOf(binding.subjects).entries()) {
    checkSubject(root.child("subjects").index(index), subject, namespaced);
  }
}

function checkExpiry(root: Field, binding: Given<RoleBinding>): void {
  const text = binding.metadata?.annotations?.[expiryAnnotation];
  if (typeof text !== "string" || readExpiry(text) !== undefined) return;
  root
    .child("metadata", "annotations")
    .key(expiryAnnotation)
    .invalid(text, "must be a time such as 2030-01-31T18:00:00Z");
}

function checkSubject(field: Field, subject: Given<RbacV1Subject>, namespaced: boolean): void {
  const { kind, name, apiGroup } = subject;
  if (!name) field.child("name").required();
  if (kind === "ServiceAccount") {
    if (name) field.child("name").invalidAll(name, dns1123SubdomainProblems(name));
    if (apiGroup) field.child("apiGroup").notSupported(apiGroup, [""]);
    if (!subject.namespace && !namespaced) field.child("namespace").required();
  } else if (kind === "User" || kind === "Group") {
    if (apiGroup !== group) field.child("apiGroup").notSupported(apiGroup ?? "", [group]);
  } else field.child("kind").notSupported(kind ?? "", ["ServiceAccount", "User", "Group"]);
}

/** Who a role is for may change; another role takes another binding, so that nobody is granted it by accident. */
function checkSameRole(root: Field, binding: Given<RoleBinding>, old: Given<RoleBinding>): void {
  if (!sameMeaning(binding.roleRef, old.roleRef)) {
    root.child("roleRef").invalid(binding.roleRef, "cannot change roleRef");
  }
}
