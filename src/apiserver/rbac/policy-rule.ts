import type { JsonObject } from "#api/kind.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import { objectsAt, stringsAt } from "#apiserver/objects/json.ts";

/** A rule as roles hold it; what upstream lets be absent is empty here. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  /** `pods`, `pods/log`, `*` (subresources too) or `*` before `/scale`: that subresource of everything. */
  readonly resources: readonly string[];
  /** Empty: all. */
  readonly resourceNames: readonly string[];
  /** A trailing `*` stands for any ending. */
  readonly nonResourceURLs: readonly string[];
}

/** The rules of a Role or ClusterRole. */
export function rulesOf(role: JsonObject): readonly PolicyRule[] {
  return objectsAt(role, "rules").map((rule) => ({
    verbs: stringsAt(rule, "verbs"),
    apiGroups: stringsAt(rule, "apiGroups"),
    resources: stringsAt(rule, "resources"),
    resourceNames: stringsAt(rule, "resourceNames"),
    nonResourceURLs: stringsAt(rule, "nonResourceURLs"),
  }));
}

export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResource)
    return rule.nonResourceURLs.some((url) => urlCovers(url, attributes.path));
  return (
    has(rule.apiGroups, attributes.group) &&
    resourcesAllow(rule.resources, attributes) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(attributes.name))
  );
}

function has(allowed: readonly string[], asked: string): boolean {
  return allowed.includes(asked) || allowed.includes("*");
}

function resourcesAllow(allowed: readonly string[], attributes: Attributes): boolean {
  const { resource, subresource } = attributes;
  if (subresource === "") return has(allowed, resource);
  return has(allowed, `${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}

/** Whether what an owner holds (`/healthz/*`) covers a path, or another pattern. */
export function urlCovers(held: string, asked: string): boolean {
  if (held === asked) return true;
  return held.endsWith("*") && asked.startsWith(held.replace(/\*+$/, ""));
}
