import type { Pod } from "#api/generated/types.ts";
import { formatQuantity } from "#api/quantity.ts";
import { amountOf } from "#agent/pods/pod-amounts.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";
import {
  amountOfValue,
  type Observations,
  signals,
  type Threshold,
} from "#agent/eviction/thresholds.ts";
import type { ContainerUsage, PodUsage } from "#agent/stats/usage.ts";

/** Why a pod was evicted, in upstream's words: what was short, by how much, and which containers took more. */
export function evictionMessage(
  { signal, value }: Threshold,
  observations: Observations,
  usage: PodUsage | undefined,
): string {
  const { resource } = signals[signal];
  const observed = observations.get(signal);
  const parts = [`The node was low on resource: ${resource}. `];
  if (observed) {
    const threshold = value.endsWith("%") ? bytes(amountOfValue(value, observed.capacity)) : value;
    parts.push(`Threshold quantity: ${threshold}, available: ${bytes(observed.available)}. `);
  }
  for (const container of usage?.containers ?? []) {
    const used = usedOf(container, usage?.pod, resource, usage);
    if (used !== undefined) parts.push(used);
  }
  return parts.join("");
}

function usedOf(
  { state, stats }: ContainerUsage,
  pod: Pod | undefined,
  resource: string,
  usage: PodUsage | undefined,
): string | undefined {
  const found = pod && podContainers(pod).find(({ spec }) => spec.name === state.name);
  if (found === undefined || found.role === "ephemeral") return undefined;
  const logBytes = usage?.disk?.logs.get(state.name)?.usedBytes ?? 0;
  const amounts: Readonly<Record<string, number>> = {
    memory: stats.workingSetBytes,
    "ephemeral-storage": (stats.writtenBytes ?? 0) + logBytes,
  };
  const used = amounts[resource];
  const request = amountOf(found.spec, "requests", resource) ?? 0n;
  if (used === undefined || used <= Number(request) / 1e9) return undefined;
  const asked = found.spec.resources?.requests?.[resource] ?? "0";
  return `Container ${state.name} was using ${bytes(used)}, request is ${asked}, has larger consumption of ${resource}. `;
}

/** A whole number as upstream prints it: with the largest binary unit that leaves no rest. */
function bytes(amount: number): string {
  return formatQuantity({ nano: BigInt(Math.round(amount)) * 1_000_000_000n, format: "binary" });
}
