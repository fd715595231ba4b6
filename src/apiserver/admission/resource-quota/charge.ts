import type { Container, Pod, ResourceQuota } from "#api/generated/types.ts";
import { compareQuantities, formatQuantity } from "#api/quantity.ts";
import {
  addAmounts,
  moreThan,
  onlyNamed,
  readAmounts,
  withoutZeros,
  type Amounts,
} from "#api/quota/amounts.ts";
import { isInScopes } from "#api/quota/scopes.ts";
import { namedForQuota, namesFor, usageOf } from "#api/quota/usage.ts";
import type { QuotaRequest } from "#apiserver/admission/resource-quota/quota-request.ts";

/** What a write takes of one quota, or in upstream's words why it may not. */
export type Charge =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "taken"; readonly amounts: Amounts };

export function chargeOf(quota: ResourceQuota, request: QuotaRequest): Charge {
  const { counted, object } = request;
  const hard = readAmounts(quota.status?.hard);
  const used = readAmounts(quota.status?.used);
  const names = namesFor(counted, hard.keys());
  if (names.length === 0 || !isInScopes(quota, counted, object)) return none;
  const name = quota.metadata.name ?? "";
  const unsaid = counted.group === "" && counted.resource === "pods" && unsaidBy(object, names);
  if (unsaid) return { kind: "refused", why: `failed quota: ${name}: must specify ${unsaid}` };
  if (names.some((one) => !used.has(one))) {
    const list = names.toSorted().join(",");
    return { kind: "refused", why: `status unknown for quota: ${name}, resources: ${list}` };
  }
  const taken = onlyNamed(takenBy(quota, request), (one) => hard.has(one));
  if (taken.size === 0) return none;
  const exceeded = new Set(request.isReport ? [] : overNames(addAmounts(used, taken), hard, taken));
  if (exceeded.size === 0) return { kind: "taken", amounts: taken };
  const list = (amounts: Amounts): string =>
    inWords(onlyNamed(amounts, (one) => exceeded.has(one)));
  return {
    kind: "refused",
    why: `exceeded quota: ${name}, requested: ${list(taken)}, used: ${list(used)}, limited: ${list(hard)}`,
  };
}

const none: Charge = { kind: "none" };

/** All that a new object uses; of an update what is more than before, where the quota counted it before. */
function takenBy(quota: ResourceQuota, { counted, object, old, nowMs }: QuotaRequest): Amounts {
  const usage = usageOf(counted, object, nowMs);
  if (old === undefined || !isInScopes(quota, counted, old)) return withoutZeros(usage);
  return withoutZeros(moreThan(usage, usageOf(counted, old, nowMs)));
}

function overNames(sum: Amounts, hard: Amounts, taken: Amounts): readonly string[] {
  return [...taken.keys()].filter((name) => {
    const [wanted, limit] = [sum.get(name), hard.get(name)];
    return wanted !== undefined && limit !== undefined && compareQuantities(wanted, limit) > 0;
  });
}

function inWords(amounts: Amounts): string {
  const parts = [...amounts].map(([name, quantity]) => `${name}=${formatQuantity(quantity)}`);
  return parts.toSorted().join(",");
}

/** Where a quota limits cpu or memory every container must say how much it wants. */
function unsaidBy(object: object, names: readonly string[]): string {
  const { spec } = object as Pod;
  if (saysForWhole(spec)) return "";
  const required = names.filter((name) => mustBeSaid.has(name)).toSorted();
  const all = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const missing = required.map((name) => {
    const silent = all.filter((container) => !saidBy(container).has(name));
    const containers = [...new Set(silent.map((container) => container.name))].toSorted();
    return containers.length === 0 ? "" : `${name} for: ${containers.join(",")}`;
  });
  return missing.filter((text) => text !== "").join("; ");
}

const mustBeSaid: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory",
]);

function saysForWhole(spec: Pod["spec"]): boolean {
  const names = Object.keys({ ...spec?.resources?.requests, ...spec?.resources?.limits });
  return names.some((name) => name === "cpu" || name === "memory" || name.startsWith("hugepages-"));
}

function saidBy({ resources }: Container): Amounts {
  return namedForQuota(readAmounts(resources?.requests), readAmounts(resources?.limits));
}
