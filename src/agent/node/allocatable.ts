import { formatQuantity, parseQuantity } from "#api/quantity.ts";
import { amountOfValue } from "#agent/eviction/thresholds.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";

const evictionOf: Readonly<Record<string, string>> = {
  memory: "memory.available",
  "ephemeral-storage": "nodefs.available",
};

/**
 * What pods may ask for: the machine's capacity without what is reserved for the system and for Kogge itself, and what
 * must stay free lest pods are evicted. Memory in huge pages is no other memory.
 */
export function allocatableOf(
  capacity: Readonly<Record<string, string>>,
  settings: NodeSettings,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(capacity).map(([name, text]) => {
      const total = parseQuantity(text);
      const kept = [settings.systemReserved[name], settings.kubeReserved[name]];
      const reserved = kept.reduce((sum, one) => sum + (one ? parseQuantity(one).nano : 0n), 0n);
      const threshold = settings.evictionHard[evictionOf[name] ?? ""] ?? "0";
      const free = BigInt(Math.floor(amountOfValue(threshold, Number(total.nano) / 1e9)));
      const huge = name === "memory" ? hugePageNanos(capacity) : 0n;
      const left = total.nano - reserved - free * 1_000_000_000n - huge;
      const nano = left > 0n ? left : 0n;
      return [name, nano === total.nano ? text : formatQuantity({ ...total, nano })];
    }),
  );
}

function hugePageNanos(capacity: Readonly<Record<string, string>>): bigint {
  return Object.entries(capacity)
    .filter(([name]) => name.startsWith("hugepages-"))
    .reduce((sum, [, text]) => sum + parseQuantity(text).nano, 0n);
}
