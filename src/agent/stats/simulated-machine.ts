import type { Clock } from "#base/clock.ts";
import type { MachineFacts } from "#agent/node/machine-facts.ts";
import type { MachineUsage } from "#agent/node/machine-usage.ts";
import type { ContainerStats } from "#agent/runtime/container-runtime.ts";

/** What the machine takes without any pod. */
const idleCores = 0.02;
const idleMemoryBytes = 256 * 1024 * 1024;

/** A machine that is only simulated uses what its containers use, those included that are gone. */
export function simulatedMachineUsage(facts: MachineFacts, clock: Clock) {
  const startedMs = clock.now();
  const last = new Map<string, number>();
  let worked = 0;
  return async (stats: readonly ContainerStats[]): Promise<MachineUsage> => {
    for (const { id, cpuNanoseconds } of stats) {
      worked += cpuNanoseconds - (last.get(id) ?? 0);
      last.set(id, cpuNanoseconds);
    }
    const running = new Set(stats.map(({ id }) => id));
    for (const id of last.keys()) if (!running.has(id)) last.delete(id);
    const timeMs = clock.now();
    const held = stats.reduce((sum, one) => sum + one.workingSetBytes, idleMemoryBytes);
    return {
      timeMs,
      startedMs,
      cpuNanoseconds: Math.round(worked + (timeMs - startedMs) * idleCores * 1e6),
      memory: {
        availableBytes: Math.max(0, facts.memoryBytes - held),
        usageBytes: held,
        workingSetBytes: held,
        rssBytes: held,
        pageFaults: 0,
        majorPageFaults: 0,
      },
    };
  };
}
