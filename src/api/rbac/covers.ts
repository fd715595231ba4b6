import { urlCovers, type PolicyRule } from "#api/rbac/policy-rule.ts";

/**
 * What `wanted` allows and `held` does not: rules of one resource (or URL) each, the verbs of the same resource
 * together. Empty when everything is held.
 */
export function missingRules(
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] {
  const missing = wanted
    .flatMap((rule) => [...singleRules(rule)])
    .filter((single) => !held.some((rule) => covers(rule, single)));
  return compact(missing);
}

/** A rule for one verb on one resource (and name), or on one URL. */
function* singleRules(rule: PolicyRule): Generator<PolicyRule> {
  const names = rule.resourceNames.length === 0 ? [[]] : rule.resourceNames.map((name) => [name]);
  for (const group of rule.apiGroups) {
    for (const resource of rule.resources) {
      for (const verb of rule.verbs) {
        for (const resourceNames of names) {
          const of = { apiGroups: [group], resources: [resource], resourceNames };
          yield { ...of, verbs: [verb], nonResourceURLs: [] };
        }
      }
    }
  }
  for (const url of rule.nonResourceURLs) {
    for (const verb of rule.verbs) {
      const none = { apiGroups: [], resources: [], resourceNames: [] };
      yield { ...none, verbs: [verb], nonResourceURLs: [url] };
    }
  }
}

/** Single rules are covered by one rule or by none. */
function covers(held: PolicyRule, single: PolicyRule): boolean {
  return (
    hasAll(held.verbs, single.verbs) &&
    hasAll(held.apiGroups, single.apiGroups) &&
    single.resources.every((resource) => coversResource(held.resources, resource)) &&
    single.nonResourceURLs.every((url) =>
      held.nonResourceURLs.some((own) => urlCovers(own, url)),
    ) &&
    coversNames(held.resourceNames, single.resourceNames)
  );
}

function hasAll(held: readonly string[], asked: readonly string[]): boolean {
  return held.includes("*") || asked.every((value) => held.includes(value));
}

function coversResource(held: readonly string[], resource: string): boolean {
  if (held.includes("*") || held.includes(resource)) return true;
  const slash = resource.indexOf("/");
  return slash >= 0 && held.includes(`*${resource.slice(slash)}`);
}

function coversNames(held: readonly string[], asked: readonly string[]): boolean {
  if (held.length === 0) return true;
  return asked.length > 0 && asked.every((name) => held.includes(name));
}

/** Rules that differ in nothing but their verb become one. */
function compact(singles: readonly PolicyRule[]): readonly PolicyRule[] {
  const byResource = new Map<string, PolicyRule>();
  const others: PolicyRule[] = [];
  for (const single of singles) {
    if (single.nonResourceURLs.length > 0) others.push(single);
    else {
      const key = JSON.stringify([single.apiGroups, single.resources, single.resourceNames]);
      const known = byResource.get(key);
      const verbs = [...(known?.verbs ?? []), ...single.verbs];
      byResource.set(key, { ...single, verbs });
    }
  }
  return [...others, ...byResource.values()];
}
