import type {
  DeviceRequestAllocationResult,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";

/** Upstream's. */
export const bindingTimeoutMs = 600_000;

/** Whether the devices of a claim are ready for a pod, as far as their drivers have anything to do for that. */
export type Readiness = "ready" | "pending" | { readonly failure: string };

export function readinessOf(claim: ResourceClaim, nowMs: number): Readiness {
  const { allocation } = claim.status ?? {};
  if (allocation === undefined) return "pending";
  const results = (allocation.devices?.results ?? []).filter(hasConditions);
  const states = results.map((result) => readinessOfDevice(claim, result));
  const failed = states.find((state) => typeof state === "object");
  if (failed) return failed;
  if (!states.includes("pending")) return "ready";
  const { allocationTimestamp } = allocation;
  const isLate =
    allocationTimestamp !== undefined && Date.parse(allocationTimestamp) + bindingTimeoutMs < nowMs;
  return isLate ? { failure: timedOut(claim) } : "pending";
}

export function hasBindingConditions({ status }: ResourceClaim): boolean {
  return status?.allocation?.devices?.results?.some(hasConditions) ?? false;
}

export function timedOut(claim: ResourceClaim): string {
  return `device binding timeout: claim=${nameOf(claim)}`;
}

function hasConditions({ bindingConditions }: DeviceRequestAllocationResult): boolean {
  return (bindingConditions?.length ?? 0) > 0;
}

function readinessOfDevice(claim: ResourceClaim, result: DeviceRequestAllocationResult): Readiness {
  const { driver, pool, device, bindingConditions = [], bindingFailureConditions = [] } = result;
  const known = claim.status?.devices?.find(
    (one) => one.driver === driver && one.pool === pool && one.device === device,
  );
  const isTrue = (type: string) =>
    known?.conditions?.find((condition) => condition.type === type && condition.status === "True");
  for (const type of bindingFailureConditions) {
    const condition = isTrue(type);
    if (condition === undefined) continue;
    const { reason, message } = condition;
    const why = `reason=${reason}, message=${JSON.stringify(message)}`;
    return { failure: `device binding failed: claim=${nameOf(claim)}, ${why}` };
  }
  return bindingConditions.every(isTrue) ? "ready" : "pending";
}
