import type { PolicyRule } from "#api/rbac/policy-rule.ts";
import type { BindingName, Grant, RoleName } from "#addons/access/grants.ts";

/** `RoleBinding dev/infra`. */
export function bindingText({ kind, namespace, name }: BindingName | RoleName): string {
  return `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
}

/** `RoleBinding dev/infra → ClusterRole edit`; when both have one name: `ClusterRoleBinding, ClusterRole view`. */
export function throughText({ binding, role, expires }: Grant): string {
  const until = expires === undefined ? "" : ` until ${expires}`;
  return `${bothText(binding, role)}${until}`;
}

function bothText(binding: BindingName, role: RoleName): string {
  return binding.name === role.name && binding.namespace === role.namespace
    ? `${binding.kind}, ${bindingText(role)}`
    : `${bindingText(binding)} → ${bindingText(role)}`;
}

/** `get, list: pods, pods/log (names web)`; every group but the core one behind its resource. */
export function ruleText({ verbs, ...of }: PolicyRule): string {
  return `${verbs.join(", ")}: ${thingsText(of)}`;
}

export function thingsText(rule: Omit<PolicyRule, "verbs">): string {
  if (rule.nonResourceURLs.length > 0) return rule.nonResourceURLs.join(", ");
  const resources = rule.apiGroups.flatMap((group) =>
    rule.resources.map((resource) => qualified(resource, group)),
  );
  const names = rule.resourceNames.length > 0 ? ` (only ${rule.resourceNames.join(", ")})` : "";
  return `${resources.join(", ")}${names}`;
}

function qualified(resource: string, group: string): string {
  if (group === "") return resource;
  const [name = "", ...part] = resource.split("/");
  return [`${name}.${group}`, ...part].join("/");
}
