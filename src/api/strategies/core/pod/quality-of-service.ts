import type { PodSpec, ResourceRequirements } from "#api/generated/types.ts";
import { type Given, isEmpty, itemsOf } from "#api/validation/given.ts";
import { nanosOf } from "#api/validation/quantity.ts";

export type QualityOfService = "Guaranteed" | "Burstable" | "BestEffort";

type Resources = Given<ResourceRequirements> | null | undefined;
type Amounts = { readonly [name: string]: unknown } | null | undefined;

/** The class from cpu and memory of the whole pod where it says so, else of all its containers. */
export function qualityOfService(spec: Given<PodSpec> | null | undefined): QualityOfService {
  const holders = hasPodLevel(spec?.resources)
    ? [spec?.resources]
    : [...itemsOf(spec?.containers), ...itemsOf(spec?.initContainers)].map(
        (container) => container.resources,
      );
  const asksNothing = holders.every(
    (resources) =>
      !names.some((name) => has(resources?.limits, name) || has(resources?.requests, name)),
  );
  if (asksNothing) return "BestEffort";
  return holders.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

const names = ["cpu", "memory"];

function hasPodLevel(resources: Resources): boolean {
  return !isEmpty(resources?.limits) || !isEmpty(resources?.requests);
}

function isGuaranteed(resources: Resources): boolean {
  const limits = resources?.limits as Amounts;
  const requests = resources?.requests as Amounts;
  return names.every(
    (name) =>
      has(limits, name) &&
      (!has(requests, name) || nanosOf(requests?.[name]) === nanosOf(limits?.[name])),
  );
}

function has(amounts: Amounts, name: string): boolean {
  return (nanosOf(amounts?.[name]) ?? 0n) > 0n;
}
