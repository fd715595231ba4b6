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

type Allocatable = Readonly<Record<string, string>>;

/** The first resource that a pod does not fit by, beside others that run; undefined when it fits. */
export function shortageOf(
  pod: Pod,
  others: readonly Pod[],
  allocatable: Allocatable,
): Shortage | undefined {
  return shortagesOf(pod, others, allocatable)[0];
}

/** All the resources that a pod does not fit by, in upstream's order. */
export function shortagesOf(
  pod: Pod,
  others: readonly Pod[],
  allocatable: Allocatable,
): readonly Shortage[] {
  const capacity = Number(allocatable["pods"] ?? Infinity);
  const used = others.length;
  const shortages: Shortage[] =
    used + 1 > capacity ? [{ resource: "pods", requested: 1, used, capacity }] : [];
  for (const resource of requestedBy(pod)) {
    // What the node does not count itself is left to the scheduler and to plugins of devices.
    if (resource.includes("/") && allocatable[resource] === undefined) continue;
    const shortage = shortageBy(resource, { pod, others, allocatable });
    if (shortage) shortages.push(shortage);
  }
  return shortages;
}

/** What a pod requests of a resource, counted as in shortages. */
export function requestOf(pod: Pod, resource: string): number {
  return resource === "pods" ? 1 : whole(resource, podAmount(pod, "requests", resource) ?? 0n);
}

/** Upstream's words. */
export function shortageText({ resource, requested, used, capacity }: Shortage): string {
  return `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
}

interface Room {
  readonly pod: Pod;
  readonly others: readonly Pod[];
  readonly allocatable: Allocatable;
}

function shortageBy(resource: string, { pod, others, allocatable }: Room): Shortage | undefined {
  const requested = podAmount(pod, "requests", resource) ?? 0n;
  if (requested === 0n) return undefined;
  const used = others.reduce((sum, one) => sum + (podAmount(one, "requests", resource) ?? 0n), 0n);
  const capacity = parseQuantity(allocatable[resource] ?? "0").nano;
  if (requested + used <= capacity) return undefined;
  return {
    resource,
    requested: whole(resource, requested),
    used: whole(resource, used),
    capacity: whole(resource, capacity),
  };
}

function whole(resource: string, nano: bigint): number {
  return Math.ceil(Number(nano) / (resource === "cpu" ? 1e6 : 1e9));
}

const first = ["cpu", "memory", "ephemeral-storage"];

function requestedBy({ spec }: Pod): ReadonlySet<string> {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const all = [spec?.resources, ...containers.map(({ resources }) => resources)];
  const found = new Set(all.flatMap((one) => Object.keys({ ...one?.limits, ...one?.requests })));
  return new Set(first.filter((resource) => found.has(resource))).union(found);
}
