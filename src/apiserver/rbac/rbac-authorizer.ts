import type { JsonObject } from "#api/kind.ts";
import type { Attributes, Authorizer, Decision, Rules } from "#apiserver/authorizer.ts";
import { ruleAllows, type PolicyRule } from "#api/rbac/policy-rule.ts";
import type { Grant, RbacIndex, RoleRef } from "#apiserver/rbac/rbac-index.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** Allows what the rules of a user's roles allow. */
export function createRbacAuthorizer(index: RbacIndex): Authorizer {
  return {
    authorize: (attributes) => decide(index, attributes),
    rules: (user, namespace) => enumerate(index, user, namespace),
  };
}

function decide(index: RbacIndex, attributes: Attributes): Decision {
  const { user, namespace } = attributes;
  let missing: Set<string> | undefined;
  for (const grant of index.grantsOf(user, namespace)) {
    const rules = index.rulesOfRole(grant.role, grant.namespace);
    if (rules === undefined) missing = (missing ?? new Set()).add(notFoundText(grant.role));
    else if (rules.some((rule) => ruleAllows(rule, attributes))) {
      return { allowed: true, reason: `RBAC: allowed by ${grantText(grant)}` };
    }
  }
  return { allowed: false, reason: missing === undefined ? "" : `RBAC: ${joined(missing)}` };
}

/** Every rule that a user has in a namespace, and which roles could not be found. */
export function heldRules(
  index: RbacIndex,
  user: UserInfo,
  namespace: string,
): { readonly rules: readonly PolicyRule[]; readonly problem: string } {
  const missing = new Set<string>();
  const held: PolicyRule[] = [];
  for (const grant of index.grantsOf(user, namespace)) {
    const rules = index.rulesOfRole(grant.role, grant.namespace);
    if (rules === undefined) missing.add(notFoundText(grant.role));
    else held.push(...rules);
  }
  return { rules: held, problem: joined(missing) };
}

function enumerate(index: RbacIndex, user: UserInfo, namespace: string): Rules {
  const { rules, problem } = heldRules(index, user, namespace);
  return {
    resourceRules: rules.filter(({ resources }) => resources.length > 0).map(resourceRule),
    nonResourceRules: rules
      .filter(({ nonResourceURLs }) => nonResourceURLs.length > 0)
      .map(({ verbs, nonResourceURLs }) => ({
        verbs: [...verbs],
        nonResourceURLs: [...nonResourceURLs],
      })),
    ...(problem !== "" && { incomplete: problem }),
  };
}

function resourceRule({ verbs, apiGroups, resources, resourceNames }: PolicyRule): JsonObject {
  return {
    verbs: [...verbs],
    apiGroups: [...apiGroups],
    resources: [...resources],
    ...(resourceNames.length > 0 && { resourceNames: [...resourceNames] }),
  };
}

export function notFoundText({ kind, name }: RoleRef): string {
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;
}

function joined(problems: ReadonlySet<string>): string {
  const texts = [...problems];
  return texts.length > 1 ? `[${texts.join(", ")}]` : (texts[0] ?? "");
}

/** Upstream's words: `ClusterRoleBinding "x" of ClusterRole "y" to User "z"`. */
function grantText({ namespace, binding, role, subject }: Grant): string {
  const kind = namespace === "" ? "ClusterRoleBinding" : "RoleBinding";
  const name = namespace === "" ? binding : `${binding}/${namespace}`;
  const home = subject.namespace || namespace;
  const whom = subject.kind === "ServiceAccount" ? `${subject.name}/${home}` : subject.name;
  return `${kind} ${JSON.stringify(name)} of ${role.kind} ${JSON.stringify(role.name)} to ${subject.kind} ${JSON.stringify(whom)}`;
}
