import type { ResourceQuota, ResourceQuotaStatus } from "#api/generated/types.ts";
import type { Quantity } from "#api/quantity.ts";
import { addAmounts, onlyNamed, readAmounts, writeAmounts, zero } from "#api/quota/amounts.ts";
import { isInScopes } from "#api/quota/scopes.ts";
import { countedBy, namesFor, usageOf, type Counted } from "#api/quota/usage.ts";

/** The resources that a quota counts, each once; names that count nothing are left out. */
export function countedIn({ spec }: ResourceQuota): readonly Counted[] {
  const all = Object.keys(spec?.hard ?? {}).flatMap((name) => countedBy(name) ?? []);
  return [...new Map(all.map((one) => [`${one.resource}.${one.group}`, one])).values()];
}

export interface Countable {
  readonly counted: Counted;
  /** All in the quota's namespace. */
  readonly objects: Iterable<object>;
}

/** What a quota's status says when all that it counts is counted anew. */
export function countUsage(
  quota: ResourceQuota,
  countables: readonly Countable[],
  nowMs: number,
): ResourceQuotaStatus {
  const hard = readAmounts(quota.spec?.hard);
  let used = new Map<string, Quantity>();
  for (const { counted, objects } of countables) {
    const names = new Set(namesFor(counted, hard.keys()));
    for (const name of names) used.set(name, used.get(name) ?? zero);
    for (const object of objects) {
      if (!isInScopes(quota, counted, object)) continue;
      const usage = onlyNamed(usageOf(counted, object, nowMs), (name) => names.has(name));
      used = addAmounts(used, usage);
    }
  }
  return { hard: writeAmounts(hard), used: writeAmounts(used) } as ResourceQuotaStatus;
}
