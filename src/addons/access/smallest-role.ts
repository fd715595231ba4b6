import { ruleAllows, type PolicyRule } from "#api/rbac/policy-rule.ts";
import type { Asked } from "#addons/access/asked.ts";

export interface RoleRules {
  /** `""`: a ClusterRole, for what is cluster-wide. */
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
}

export interface RoleWishes {
  /** What everybody may do anyway: it is left out. */
  readonly alreadyHeld: readonly PolicyRule[];
  /** Holds requests to one object to the names that were used. */
  readonly names: boolean;
}

/** The smallest roles that allow all these requests and nothing else: one for the cluster, one for each namespace. */
export function smallestRoles(
  requests: readonly Asked[],
  { alreadyHeld, names }: RoleWishes,
): readonly RoleRules[] {
  const needed = requests.filter((asked) => !alreadyHeld.some((rule) => ruleAllows(rule, asked)));
  const everywhere = rulesFor(
    needed.filter((asked) => asked.namespace === ""),
    names,
  );
  const narrow = needed.filter(
    (asked) => asked.namespace !== "" && !everywhere.some((rule) => ruleAllows(rule, asked)),
  );
  const byNamespace = Map.groupBy(narrow, ({ namespace }) => namespace);
  const inNamespaces = [...byNamespace]
    .map(([namespace, asked]) => ({ namespace, rules: rulesFor(asked, names) }))
    .toSorted((a, b) => a.namespace.localeCompare(b.namespace));
  return everywhere.length > 0
    ? [{ namespace: "", rules: everywhere }, ...inNamespaces]
    : inNamespaces;
}

function rulesFor(requests: readonly Asked[], names: boolean): readonly PolicyRule[] {
  const [ofResources, ofPaths] = [
    requests.filter(({ isResource }) => isResource),
    requests.filter(({ isResource }) => !isResource),
  ];
  return [...resourceRules(ofResources, names), ...pathRules(ofPaths)];
}

/** Resources of one group with the same verbs (and names) share a rule, as people write them. */
function resourceRules(requests: readonly Asked[], names: boolean): readonly PolicyRule[] {
  const verbsOf = new Map<string, Set<string>>();
  for (const asked of requests) {
    const key = JSON.stringify([asked.group, resourceOf(asked), nameFor(asked, names)]);
    verbsOf.set(key, (verbsOf.get(key) ?? new Set()).add(asked.verb));
  }
  const rules = new Map<string, { resources: Set<string>; names: Set<string>; rule: PolicyRule }>();
  for (const [key, verbs] of [...verbsOf].toSorted(([a], [b]) => a.localeCompare(b))) {
    const [group = "", resource = "", name = ""] = JSON.parse(key) as string[];
    const sorted = [...verbs].toSorted(byVerb);
    // Names belong to a resource: only rules of the same resource may share them.
    const sharing = JSON.stringify([group, sorted, name === "" ? "" : resource]);
    const known = rules.get(sharing) ?? {
      resources: new Set(),
      names: new Set(),
      rule: { ...nothing, verbs: sorted, apiGroups: [group] },
    };
    known.resources.add(resource);
    if (name !== "") known.names.add(name);
    rules.set(sharing, known);
  }
  return [...rules.values()].map(({ resources, names: used, rule }) => ({
    ...rule,
    resources: [...resources],
    resourceNames: [...used],
  }));
}

function pathRules(requests: readonly Asked[]): readonly PolicyRule[] {
  const byVerb = Map.groupBy(requests, ({ verb }) => verb);
  return [...byVerb].map(([verb, asked]) => ({
    ...nothing,
    verbs: [verb],
    nonResourceURLs: [...new Set(asked.map(({ path }) => path))].toSorted(),
  }));
}

const nothing: PolicyRule = {
  verbs: [],
  apiGroups: [],
  resources: [],
  resourceNames: [],
  nonResourceURLs: [],
};

function resourceOf({ resource, subresource }: Asked): string {
  return subresource === "" ? resource : `${resource}/${subresource}`;
}

/** A name in a rule says nothing about collections, nor about objects that are yet to be made. */
function nameFor({ verb, name }: Asked, names: boolean): string {
  return names && verb !== "create" && verb !== "deletecollection" ? name : "";
}

/** In the order in which Kubernetes' documentation names them. */
const verbOrder = ["get", "list", "watch", "create", "update", "patch", "delete"];

function byVerb(a: string, b: string): number {
  const place = (verb: string): number => (verbOrder.indexOf(verb) + 1 || verbOrder.length + 1) - 1;
  return place(a) - place(b) || a.localeCompare(b);
}
