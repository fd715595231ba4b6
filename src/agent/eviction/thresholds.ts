import { parseQuantity } from "#api/quantity.ts";
import type { DiskSpace, MachineUsage } from "#agent/node/machine-usage.ts";
import { durationMs, type NodeSettings } from "#agent/node/node-settings.ts";

/** What can run short, by upstream's names. */
export type Signal =
  | "memory.available"
  | "nodefs.available"
  | "nodefs.inodesFree"
  | "imagefs.available"
  | "imagefs.inodesFree"
  | "pid.available";

export type Pressure = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** What a signal means: the resource that is starved, and the node's condition. Memory counts before all others. */
export const signals: Readonly<
  Record<Signal, { readonly resource: string; readonly pressure: Pressure }>
> = {
  "memory.available": { resource: "memory", pressure: "MemoryPressure" },
  "imagefs.available": { resource: "ephemeral-storage", pressure: "DiskPressure" },
  "imagefs.inodesFree": { resource: "inodes", pressure: "DiskPressure" },
  "nodefs.available": { resource: "ephemeral-storage", pressure: "DiskPressure" },
  "nodefs.inodesFree": { resource: "inodes", pressure: "DiskPressure" },
  "pid.available": { resource: "pids", pressure: "PIDPressure" },
};

export interface Threshold {
  readonly signal: Signal;
  /** A quantity, or a share of the whole: `10%`. */
  readonly value: string;
  /** Absent: it is hard, pods end at once. */
  readonly graceMs?: number;
  /** How much more must be there before it counts as overcome. */
  readonly reclaim?: string;
}

/** Throws for what cannot be a threshold, in upstream's words where it has some. */
export function thresholdsOf(settings: NodeSettings): readonly Threshold[] {
  const { evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMinimumReclaim } = settings;
  const read = (values: Readonly<Record<string, string>>): Threshold[] =>
    Object.entries(values).flatMap(([signal, value]): Threshold[] => {
      if (!isSignal(signal)) throw new Error(`unsupported eviction signal ${signal}`);
      checkValue(signal, value);
      const reclaim = evictionMinimumReclaim[signal];
      // 0% turns a threshold off.
      return value === "0%" ? [] : [{ signal, value, ...(reclaim && { reclaim }) }];
    });
  const soft = read(evictionSoft).map((threshold) => {
    const grace = evictionSoftGracePeriod[threshold.signal];
    if (grace === undefined) {
      throw new Error(
        `grace period must be specified for the soft eviction threshold ${threshold.signal}`,
      );
    }
    return { ...threshold, graceMs: durationMs(grace) };
  });
  return [...read(evictionHard), ...soft];
}

export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

export type Observations = ReadonlyMap<Signal, Observation>;

/** What there is of everything. */
export function observationsOf(measured: {
  readonly memory: MachineUsage["memory"];
  readonly processes?: MachineUsage["processes"];
  readonly node?: DiskSpace;
  readonly images?: DiskSpace;
}): Observations {
  const { memory, processes, node, images } = measured;
  const found = new Map<Signal, Observation>();
  found.set("memory.available", {
    available: memory.availableBytes,
    capacity: memory.availableBytes + memory.workingSetBytes,
  });
  if (processes) {
    const { current, max } = processes;
    found.set("pid.available", { available: max - current, capacity: max });
  }
  for (const [name, space] of [["nodefs", node] as const, ["imagefs", images] as const]) {
    if (space === undefined) continue;
    const { availableBytes, capacityBytes, inodesFree, inodes } = space;
    found.set(`${name}.available`, { available: availableBytes, capacity: capacityBytes });
    // Some file systems make inodes as they go and count none.
    if (inodes > 0) found.set(`${name}.inodesFree`, { available: inodesFree, capacity: inodes });
  }
  return found;
}

/** Those that are crossed; with `withReclaim`, until as much more is free as `evictionMinimumReclaim` asks. */
export function crossed(
  thresholds: readonly Threshold[],
  observations: Observations,
  withReclaim: boolean,
): readonly Threshold[] {
  return thresholds.filter(({ signal, value, reclaim }) => {
    const observed = observations.get(signal);
    if (observed === undefined) return false;
    const more = withReclaim && reclaim ? amountOfValue(reclaim, observed.capacity) : 0;
    return observed.available < amountOfValue(value, observed.capacity) + more;
  });
}

/** The amount that a quantity or a share of `capacity` stands for. */
export function amountOfValue(value: string, capacity: number): number {
  if (value.endsWith("%")) return Math.floor((capacity * Number(value.slice(0, -1))) / 100);
  return Number(parseQuantity(value).nano) / 1e9;
}

function isSignal(name: string): name is Signal {
  return Object.hasOwn(signals, name);
}

function checkValue(signal: Signal, value: string): void {
  if (value.endsWith("%")) {
    const percent = Number(value.slice(0, -1));
    if (percent >= 0 && percent < 100) return;
    throw new Error(`eviction percentage threshold ${signal} must be >= 0% and < 100%: ${value}`);
  }
  if (parseQuantity(value).nano < 0n) {
    throw new Error(`eviction threshold ${signal} cannot be negative: ${value}`);
  }
}
