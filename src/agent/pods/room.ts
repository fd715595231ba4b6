import type { Pod } from "#api/generated/types.ts";
import { parseQuantity } from "#api/quantity.ts";
import { podAmount } from "#agent/pods/pod-amounts.ts";

/** A resource of which a pod asks more than there is left. Processors are counted in thousandths. */
export interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

/** The first resource that a pod does not fit by, beside others that run; undefined when it fits. */
export function shortageOf(
  pod: Pod,
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string>>,
): Shortage | undefined {
  const count = Number(allocatable["pods"] ?? Infinity);
  if (others.length + 1 > count) {
    return { resource: "pods", requested: 1, used: others.length, capacity: count };
  }
  for (const resource of requestedBy(pod)) {
    // What the node does not count itself is left to the scheduler and to plugins of devices.
    if (resource.includes("/") && allocatable[resource] === undefined) continue;
    const requested = podAmount(pod, "requests", resource) ?? 0n;
    if (requested === 0n) continue;
    const used = others.reduce(
      (sum, one) => sum + (podAmount(one, "requests", resource) ?? 0n),
      0n,
    );
    const capacity = parseQuantity(allocatable[resource] ?? "0").nano;
    if (requested + used > capacity) {
      const whole = (nano: bigint): number =>
        Math.ceil(Number(nano) / (resource === "cpu" ? 1e6 : 1e9));
      return {
        resource,
        requested: whole(requested),
        used: whole(used),
        capacity: whole(capacity),
      };
    }
  }
  return undefined;
}

/** Upstream's words. */
export function shortageText({ resource, requested, used, capacity }: Shortage): string {
  return `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
}

function requestedBy({ spec }: Pod): ReadonlySet<string> {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const all = [spec?.resources, ...containers.map(({ resources }) => resources)];
  return new Set(all.flatMap((one) => Object.keys({ ...one?.limits, ...one?.requests })));
}
