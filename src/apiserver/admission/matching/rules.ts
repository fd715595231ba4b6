import type { ResourceRef, Target } from "#apiserver/admission/matching/target.ts";

/** What webhooks and policies say of the requests they want to see: `RuleWithOperations`, and names of policies. */
export interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly scope?: string;
  readonly resourceNames?: readonly string[];
}

/** Whether the rule speaks of the target, taken for a request to `resource`. */
export function matchesRule(rule: Rule, target: Target, resource: ResourceRef): boolean {
  return (
    isInScope(rule.scope ?? "*", target, resource) &&
    includes(rule.operations, target.operation) &&
    includes(rule.apiGroups, resource.group) &&
    includes(rule.apiVersions, resource.version) &&
    namesResource(rule.resources ?? [], resource.resource, target.subresource) &&
    namesObject(rule.resourceNames, target.name)
  );
}

function includes(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes("*") || values.includes(value));
}

function isInScope(scope: string, { namespace }: Target, resource: ResourceRef): boolean {
  if (scope === "*") return true;
  const { group, version } = resource;
  const isNamespace = group === "" && version === "v1" && resource.resource === "namespaces";
  const isCluster = isNamespace || namespace === "";
  return scope === (isCluster ? "Cluster" : "Namespaced");
}

// Patterns: `pods`, `pods/exec`, `pods/*`, `*/scale`; `*` is all without subresources, `*/*` is all.
function namesResource(patterns: readonly string[], resource: string, part: string): boolean {
  return patterns.some((pattern) => {
    const slash = pattern.indexOf("/");
    const wanted = slash < 0 ? pattern : pattern.slice(0, slash);
    const wantedPart = slash < 0 ? "" : pattern.slice(slash + 1);
    return (wanted === "*" || wanted === resource) && (wantedPart === "*" || wantedPart === part);
  });
}

function namesObject(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.length === 0 || names.includes(name);
}
