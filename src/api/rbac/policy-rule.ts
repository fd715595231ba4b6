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

/** What somebody wants to do, in the words of a `SubjectAccessReview`. */
export interface AskedAccess {
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** For requests that are not to a resource. */
  readonly path: string;
}

/** The rules of a Role or ClusterRole, as it is stored or as it is typed. */
export function rulesOf(role: { readonly rules?: unknown }): readonly PolicyRule[] {
  return listOf(role.rules).flatMap((rule) => {
    if (typeof rule !== "object" || rule === null) return [];
    const given = rule as Partial<Record<keyof PolicyRule, unknown>>;
    return {
      verbs: stringsOf(given.verbs),
      apiGroups: stringsOf(given.apiGroups),
      resources: stringsOf(given.resources),
      resourceNames: stringsOf(given.resourceNames),
      nonResourceURLs: stringsOf(given.nonResourceURLs),
    };
  });
}

export function ruleAllows(rule: PolicyRule, attributes: AskedAccess): boolean {
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

function resourcesAllow(allowed: readonly string[], attributes: AskedAccess): boolean {
  const { resource, subresource } = attributes;
  if (subresource === "") return has(allowed, resource);
  return has(allowed, `${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}

/** Whether what an owner holds (`/healthz/*`) covers a path, or another pattern. */
export function urlCovers(held: string, asked: string): boolean {
  if (held === asked) return true;
  return held.endsWith("*") && asked.startsWith(held.replace(/\*+$/, ""));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function stringsOf(value: unknown): readonly string[] {
  return listOf(value).filter((text) => typeof text === "string");
}
