import { ruleAllows, type PolicyRule } from "#api/rbac/policy-rule.ts";
import type { Asked } from "#addons/access/asked.ts";
import type { AccessState, Grant, NamedRole } from "#addons/access/grants.ts";
import { reaches, type Identity } from "#addons/access/subjects.ts";
import { waysOf, type Way } from "#addons/access/who-can.ts";

/** Why roles allow something, or what is missing. */
export interface Explanation {
  readonly ways: readonly Way[];
  /** What somebody has that would allow it but for one thing. */
  readonly nearMisses: readonly NearMiss[];
  /** Roles that would allow it, those that give least first. */
  readonly roles: readonly NamedRole[];
}

export interface NearMiss {
  readonly grant: Grant;
  /** Undefined: the binding's role does not exist. */
  readonly rule?: PolicyRule;
  readonly lacks: Lack;
}

export type Lack = "verb" | "API group" | "resource" | "name" | "namespace" | "path" | "role";

export function explain(state: AccessState, identity: Identity, asked: Asked): Explanation {
  const own = state.grants.filter((grant) => reaches(grant, identity));
  const ways = own.flatMap((grant) => waysOf(grant, asked));
  if (ways.length > 0) return { ways, nearMisses: [], roles: [] };
  return {
    ways,
    nearMisses: own.flatMap((grant) => missesOf(grant, asked)),
    roles: rolesFor(state.roles, asked),
  };
}

function missesOf(grant: Grant, asked: Asked): readonly NearMiss[] {
  if (grant.rules === undefined) return [{ grant, lacks: "role" }];
  const { namespace } = grant.binding;
  const elsewhere = namespace !== "" && namespace !== asked.namespace;
  return grant.rules.flatMap((rule) => {
    const lacks = lacksOf(rule, asked);
    if (elsewhere) lacks.push("namespace");
    const [only, ...more] = lacks;
    return only !== undefined && more.length === 0 ? [{ grant, rule, lacks: only }] : [];
  });
}

/** What must change in a rule, one thing at a time, for it to allow. */
function lacksOf(rule: PolicyRule, asked: Asked): Lack[] {
  const isFor = asked.isResource ? rule.resources.length > 0 : rule.nonResourceURLs.length > 0;
  // A rule about paths is not nearly one about resources.
  if (!isFor) return ["resource", "verb"];
  const anything: PolicyRule = {
    verbs: ["*"],
    apiGroups: ["*"],
    resources: ["*"],
    resourceNames: [],
    nonResourceURLs: ["*"],
  };
  const allowsBut = (part: Partial<PolicyRule>): boolean =>
    ruleAllows({ ...anything, ...part }, asked);
  const lacks: Lack[] = [];
  if (!allowsBut({ verbs: rule.verbs })) lacks.push("verb");
  if (!asked.isResource) {
    if (!allowsBut({ nonResourceURLs: rule.nonResourceURLs })) lacks.push("path");
    return lacks;
  }
  if (!allowsBut({ apiGroups: rule.apiGroups })) lacks.push("API group");
  if (!allowsBut({ resources: rule.resources })) lacks.push("resource");
  if (!allowsBut({ resourceNames: rule.resourceNames })) lacks.push("name");
  return lacks;
}

const rolesMax = 3;

/** What the server itself uses is not for people. */
function rolesFor(roles: readonly NamedRole[], asked: Asked): readonly NamedRole[] {
  return roles
    .filter(
      ({ kind, name, namespace, rules }) =>
        (kind === "ClusterRole" || (asked.isResource && namespace === asked.namespace)) &&
        !name.startsWith("system:") &&
        rules.some((rule) => ruleAllows(rule, asked)),
    )
    .toSorted((a, b) => breadth(a) - breadth(b))
    .slice(0, rolesMax);
}

/** How much a role gives: what stands for everything outweighs every list. */
function breadth({ rules }: NamedRole): number {
  const weigh = (values: readonly string[]): number =>
    values.reduce((sum, value) => sum + (value === "*" ? everything : 1), 0);
  return rules.reduce(
    (sum, rule) => sum + weigh(rule.verbs) * weigh([...rule.resources, ...rule.nonResourceURLs]),
    0,
  );
}

const everything = 1000;
