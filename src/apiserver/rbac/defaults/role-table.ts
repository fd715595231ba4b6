import type { Json } from "#api/meta.ts";

/**
 * Rules in short: verbs, groups (`core` is the one without a name; `url`: the resources are URLs), resources and,
 * where it is only for some, names; several of each with a space between.
 */
export type ShortRule = readonly [verbs: string, groups: string, resources: string, names?: string];

export type RoleTable = Readonly<Record<string, readonly ShortRule[]>>;

/** A rule as a role holds it. */
export function longRule([verbs, groups, resources, names]: ShortRule): Json {
  if (groups === "url") return { nonResourceURLs: words(resources), verbs: words(verbs) };
  return {
    apiGroups: words(groups).map((group) => (group === "core" ? "" : group)),
    ...(names !== undefined && { resourceNames: words(names) }),
    resources: words(resources),
    verbs: words(verbs),
  };
}

function words(text: string): string[] {
  return text.split(" ");
}
