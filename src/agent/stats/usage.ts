import type { Pod } from "#api/generated/types.ts";
import type { GroupMemory } from "#agent/node/cgroup-files.ts";
import type { DiskSpace, MachineUsage, NetworkUsage } from "#agent/node/machine-usage.ts";
import type { PodDiskUsage } from "#agent/pods/pod-files.ts";
import type { ContainerState, ContainerStats } from "#agent/runtime/container-runtime.ts";

/** What a node and all that runs on it use at a moment. Every page of statistics is made from this. */
export interface NodeUsage {
  readonly machine: MachineUsage;
  /** Processors busy lately, in billionths. */
  readonly nanoCores: number;
  readonly pods: readonly PodUsage[];
  /** Of all pods together, where they have a control group of their own. */
  readonly podsGroup?: ProcessUsage;
  /** Absent where only processors and memory were asked for. */
  readonly disks?: NodeDisks;
}

export interface NodeDisks {
  /** Where pods' files are. */
  readonly node?: DiskSpace;
  readonly images?: DiskSpace & { readonly imageBytes: number; readonly imageInodes: number };
}

export interface ProcessUsage {
  readonly timeMs: number;
  readonly cpuNanoseconds: number;
  readonly nanoCores: number;
  readonly memory: Pick<GroupMemory, "workingSetBytes"> & Partial<GroupMemory>;
  readonly processes?: number;
}

export interface PodUsage extends ProcessUsage {
  readonly pod: Pod;
  readonly containers: readonly ContainerUsage[];
  readonly network?: NetworkUsage;
  readonly disk?: PodDiskUsage;
}

export interface ContainerUsage {
  readonly state: ContainerState;
  readonly stats: ContainerStats;
  readonly nanoCores: number;
}

/** How many processors were busy between two looks at what they have worked altogether. */
export class CpuRates {
  readonly #samples = new Map<string, { timeMs: number; cpuNanoseconds: number; rate: number }>();
  #seen = new Set<string>();

  /** `startedMs` is when the count began at nothing: the rate since then is the first answer. */
  rate(
    key: string,
    sample: { readonly timeMs: number; readonly cpuNanoseconds: number },
    startedMs: number,
  ): number {
    this.#seen.add(key);
    const before = this.#samples.get(key) ?? { timeMs: startedMs, cpuNanoseconds: 0, rate: 0 };
    const { timeMs, cpuNanoseconds } = sample;
    const spanMs = timeMs - before.timeMs;
    // What began anew counts from nothing again.
    if (cpuNanoseconds < before.cpuNanoseconds) {
      this.#samples.set(key, { timeMs, cpuNanoseconds, rate: 0 });
      return 0;
    }
    if (spanMs < shortestMs && this.#samples.has(key)) return before.rate;
    const used = cpuNanoseconds - before.cpuNanoseconds;
    const rate = spanMs <= 0 ? 0 : Math.round((used * 1000) / spanMs);
    this.#samples.set(key, { timeMs, cpuNanoseconds, rate });
    return rate;
  }

  /** Forgets what was not asked for since the last call. */
  prune(): void {
    for (const key of this.#samples.keys()) if (!this.#seen.has(key)) this.#samples.delete(key);
    this.#seen = new Set();
  }
}

/** Looks that follow each other closer would measure the clock more than the work. */
const shortestMs = 1000;
