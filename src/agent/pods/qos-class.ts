import type { Container, Pod } from "#api/generated/types.ts";
import { compareQuantities, parseQuantity, quantityValue } from "#api/quantity.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** Upstream's three classes, from the requests and limits of cpu and memory of all but ephemeral containers. */
export function qosClassOf(pod: Pod): QosClass {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const all = [...containers, ...initContainers];
  if (all.every((container) => !asksForAnything(container))) return "BestEffort";
  return all.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

function asksForAnything({ resources }: Container): boolean {
  return (["cpu", "memory"] as const).some(
    (name) => isPositive(resources?.requests?.[name]) || isPositive(resources?.limits?.[name]),
  );
}

function isGuaranteed({ resources }: Container): boolean {
  return (["cpu", "memory"] as const).every((name) => {
    const limit = resources?.limits?.[name];
    const request = resources?.requests?.[name] ?? limit;
    if (!isPositive(limit) || limit === undefined || request === undefined) return false;
    return compareQuantities(parseQuantity(limit), parseQuantity(request)) === 0;
  });
}

function isPositive(quantity: string | undefined): boolean {
  return quantity !== undefined && quantityValue(parseQuantity(quantity)) > 0n;
}
