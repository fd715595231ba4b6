import type { Pod, PodSpec, ResourceRequirements } from "#api/generated/types.ts";
import { formatQuantity } from "#api/quantity.ts";
import type { Amounts as Sums } from "#api/quota/amounts.ts";
import { isPodLevelResource, podAmounts } from "#api/quota/pod-amounts.ts";
import { checkQuantity } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, isEmpty, itemsOf } from "#api/validation/given.ts";
import { isWholeQuantity, nanosOf, sameQuantity } from "#api/validation/quantity.ts";

type Amounts = { readonly [name: string]: string } | null | undefined;

/** What containers and whole pods request and are limited to. */
export function checkResources(
  field: Field,
  resources: Given<ResourceRequirements> | null | undefined,
  claimNames: ReadonlySet<string>,
): void {
  if (!resources) return;
  const limits: Amounts = resources.limits;
  const requests: Amounts = resources.requests;
  checkAmounts(field.child("limits"), limits);
  checkAmounts(field.child("requests"), requests);
  for (const [name, request] of entriesOf(requests)) {
    checkAgainstLimit(field, { name, request, limit: limits?.[name] });
  }
  checkHugePages(field, { ...limits, ...requests });
  for (const [index, claim] of itemsOf(resources.claims).entries()) {
    const at = field.child("claims").index(index).child("name");
    if (!claim.name) at.required();
    else if (!claimNames.has(claim.name)) at.notFound(claim.name);
  }
}

/** What a pod as a whole requests and is limited to: enough for its containers. */
export function checkPodLevelResources(field: Field, spec: Given<PodSpec>): void {
  const { resources } = spec;
  if (!resources) return;
  if (spec.os?.name === "windows") return field.forbidden("may not be set for a windows pod");
  if (!isEmpty(resources.claims)) {
    field.child("claims").forbidden("claims may not be set for Resources at pod-level");
  }
  for (const side of ["limits", "requests"] as const) {
    for (const name of Object.keys(resources[side] ?? {})) {
      if (isPodLevelResource(name) || !isStandardOrExtended(name)) continue;
      field.child(side).key(name).notSupported(name, ["cpu", "hugepages-", "memory"]);
    }
  }
  checkResources(field, { ...resources, claims: [] }, new Set());
  checkRoomForContainers(field, spec);
}

function checkRoomForContainers(field: Field, spec: Given<PodSpec>): void {
  const whole = { limits: spec.resources?.limits, requests: spec.resources?.requests };
  const checkSum = (side: "limits" | "requests", counts: (name: string) => boolean): void => {
    for (const [name, quantity] of containersTogether(spec, side)) {
      const own = whole[side]?.[name];
      if (own === undefined || !counts(name) || quantity.nano <= (nanosOf(own) ?? 0n)) continue;
      const least = `aggregate container ${side} of ${formatQuantity(quantity)}`;
      field.child(side).key(name).invalid(own, `must be greater than or equal to ${least}`);
    }
  };
  checkSum("requests", () => true);
  checkSum("limits", (name) => name.startsWith("hugepages-"));
  for (const [index, container] of itemsOf(spec.containers).entries()) {
    for (const [name, limit] of entriesOf(container.resources?.limits as Amounts)) {
      const most = whole.limits?.[name];
      if (most === undefined || (nanosOf(limit) ?? 0n) <= (nanosOf(most) ?? 0n)) continue;
      const at = field.child("containers").index(index).key(name).child("limits");
      at.invalid(limit, `must be less than or equal to pod limits of ${most}`);
    }
  }
}

/** What a pod's containers request or are limited to at most at the same time. */
export function containersTogether(spec: Given<PodSpec>, side: "limits" | "requests"): Sums {
  const containers = itemsOf(spec.containers);
  const initContainers = itemsOf(spec.initContainers);
  return podAmounts({ spec: { containers, initContainers } } as Pod, side, ofContainers);
}

const ofContainers = { overhead: false, status: false, podLevel: () => false };

/** Names and amounts of a resource list of containers. */
export function checkAmounts(field: Field, amounts: Amounts): void {
  for (const [name, amount] of entriesOf(amounts)) {
    const at = field.key(name);
    at.invalidAll(name, qualifiedNameProblems(name));
    if (!name.includes("/") && !isStandardForContainers(name)) {
      at.invalid(name, "must be a standard resource for containers");
    }
    checkAmount(at, name, amount);
  }
}

/** Extended resources and huge pages are counted, not measured. */
export function checkAmount(field: Field, name: string, amount: unknown): void {
  checkQuantity(field, amount);
  if (isExtended(name) && nanosOf(amount) !== undefined && !isWholeQuantity(amount)) {
    field.invalid(amount, "must be an integer");
  }
}

/** A resource with a domain of its own, such as `example.com/gpu`. */
function isExtended(name: string): boolean {
  return name.includes("/") && !isNative(name) && !name.startsWith("requests.");
}

function checkAgainstLimit(
  field: Field,
  { name, request, limit }: { name: string; request: string; limit: string | undefined },
): void {
  if (limit === undefined || limit === null) {
    if (!mayOvercommit(name)) {
      field.child("limits").required("Limit must be set for non overcommitable resources");
    }
  } else if (!mayOvercommit(name)) {
    if (!sameQuantity(request, limit)) {
      field.child("requests").invalid(request, `must be equal to ${name} limit of ${limit}`);
    }
  } else if ((nanosOf(request) ?? 0n) > (nanosOf(limit) ?? 0n)) {
    field
      .child("requests")
      .invalid(request, `must be less than or equal to ${name} limit of ${limit}`);
  }
}

function checkHugePages(field: Field, amounts: { readonly [name: string]: unknown }): void {
  const names = Object.keys(amounts);
  if (
    names.some((name) => name.startsWith("hugepages-")) &&
    !names.includes("cpu") &&
    !names.includes("memory")
  ) {
    field.forbidden("HugePages require cpu or memory");
  }
}

/** Other names are told of as such. */
function isStandardOrExtended(name: string): boolean {
  return name.includes("/") || isStandardForContainers(name);
}

function isStandardForContainers(name: string): boolean {
  return ["cpu", "memory", "ephemeral-storage"].includes(name) || name.startsWith("hugepages-");
}

function isNative(name: string): boolean {
  return !name.includes("/") || (name.split("/")[0] ?? "").endsWith("kubernetes.io");
}

function mayOvercommit(name: string): boolean {
  return isNative(name) && !name.startsWith("hugepages-");
}
