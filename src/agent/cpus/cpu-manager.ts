import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Container, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { parseQuantity } from "#api/quantity.ts";
import { formatCpus, parseCpus } from "#agent/cpus/cpu-set.ts";
import { readCores } from "#agent/cpus/read-cores.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

export interface CpuManagerParts {
  /** The machine's processors, each core's together. */
  readonly cores: readonly (readonly number[])[];
  readonly settings: NodeSettings;
  /** Where it is written down who has which, so that it holds over a restart. */
  readonly stateFile: string;
}

/** The manager where the settings ask for it; undefined where containers run on any processor. */
export function openCpuManager(dataDir: string, settings: NodeSettings): CpuManager | undefined {
  if (settings.cpuManagerPolicy !== "static") return undefined;
  const stateFile = join(dataDir, "cpu_manager_state");
  return new CpuManager({ cores: readCores(), settings, stateFile });
}

/** What a container runs on. */
export interface CpuShare {
  readonly cpus: string;
  /** No other container runs there: the limit of its time is what it has. */
  readonly isExclusive: boolean;
}

/** By pod's uid and container: the processors that it has for itself. */
type Owned = Map<string, Map<string, readonly number[]>>;

/**
 * Upstream's static policy: containers of guaranteed pods that ask for whole processors get them for themselves, whole
 * cores first; all others share what is left, which always includes the reserved ones.
 */
export class CpuManager {
  readonly #parts: CpuManagerParts;
  readonly #all: readonly number[];
  readonly #reserved: ReadonlySet<number>;
  readonly #owned: Owned;

  constructor(parts: CpuManagerParts) {
    this.#parts = parts;
    this.#all = parts.cores.flat();
    this.#reserved = new Set(reservedCpus(parts.settings, this.#all));
    if (this.#reserved.size === 0) {
      throw new Error(
        "the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero",
      );
    }
    this.#owned = readState(parts.stateFile);
  }

  /** Gives a pod's containers what they ask for. Throws upstream's text when there is not enough. */
  allocate(pod: Pod): void {
    const uid = uidOf(pod);
    if (this.#owned.has(uid) || qosClassOf(pod) !== "Guaranteed") return;
    const taken = new Map<string, readonly number[]>();
    for (const { spec, role } of podContainers(pod)) {
      const count = role === "app" || role === "sidecar" ? wholeCpus(spec) : 0;
      if (count === 0) continue;
      const free = this.#free([...taken.values()].flat());
      const cpus = take(this.#parts.cores, free, count);
      if (cpus === undefined) {
        throw new Error(
          `not enough cpus available to satisfy request: requested=${count}, available=${free.size}`,
        );
      }
      taken.set(spec.name, cpus);
    }
    if (taken.size === 0) return;
    this.#owned.set(uid, taken);
    this.#write();
  }

  /** Those that containers may have for themselves, taken or not. */
  get assignable(): readonly number[] {
    return this.#all.filter((cpu) => !this.#reserved.has(cpu));
  }

  /** Harmless where the pod has none. True when others may run on more from now on. */
  release(uid: string): boolean {
    const had = this.#owned.delete(uid);
    if (had) this.#write();
    return had;
  }

  /** Forgets pods that are not among these. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#owned.keys()) if (!uids.has(uid)) this.release(uid);
  }

  shareOf(uid: string, container: string): CpuShare {
    const own = this.#owned.get(uid)?.get(container);
    if (own) return { cpus: formatCpus(own), isExclusive: true };
    return { cpus: formatCpus(this.#shared()), isExclusive: false };
  }

  #shared(): readonly number[] {
    const owned = this.#taken();
    return this.#all.filter((cpu) => !owned.has(cpu));
  }

  #free(alsoTaken: readonly number[]): ReadonlySet<number> {
    const rest = this.#shared().filter(
      (cpu) => !this.#reserved.has(cpu) && !alsoTaken.includes(cpu),
    );
    return new Set(rest);
  }

  #taken(): ReadonlySet<number> {
    return new Set(
      [...this.#owned.values()].flatMap((containers) => [...containers.values()].flat()),
    );
  }

  #write(): void {
    const entries = Object.fromEntries(
      [...this.#owned].map(([uid, containers]) => [
        uid,
        Object.fromEntries([...containers].map(([name, cpus]) => [name, formatCpus(cpus)])),
      ]),
    );
    const state = { policyName: "static", defaultCpuSet: formatCpus(this.#shared()), entries };
    const { stateFile } = this.#parts;
    writeFileSync(`${stateFile}.tmp`, JSON.stringify(state));
    renameSync(`${stateFile}.tmp`, stateFile);
  }
}

/** How many whole processors a container asks for; 0 where it asks for parts of one. */
function wholeCpus({ resources }: Container): number {
  const asked = resources?.requests?.["cpu"] ?? resources?.limits?.["cpu"] ?? "0";
  const { nano } = parseQuantity(asked);
  return nano % 1_000_000_000n === 0n ? Number(nano / 1_000_000_000n) : 0;
}

/** Whole free cores first, then what is left of others. */
function take(
  cores: readonly (readonly number[])[],
  free: ReadonlySet<number>,
  count: number,
): readonly number[] | undefined {
  if (free.size < count) return undefined;
  const chosen: number[] = [];
  for (const core of cores) {
    const isWhole = core.every((cpu) => free.has(cpu));
    if (isWhole && chosen.length + core.length <= count) chosen.push(...core);
  }
  for (const cpu of free) {
    if (chosen.length === count) break;
    if (!chosen.includes(cpu)) chosen.push(cpu);
  }
  return chosen;
}

function reservedCpus(settings: NodeSettings, all: readonly number[]): readonly number[] {
  if (settings.reservedSystemCPUs !== "") return parseCpus(settings.reservedSystemCPUs);
  const { systemReserved, kubeReserved } = settings;
  const amounts = [systemReserved["cpu"] ?? "0", kubeReserved["cpu"] ?? "0"];
  const nano = amounts.reduce((sum, amount) => sum + parseQuantity(amount).nano, 0n);
  return all.slice(0, Math.ceil(Number(nano) / 1e9));
}

function readState(file: string): Owned {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  const { entries = {} } = JSON.parse(text) as {
    entries?: Record<string, Record<string, string>>;
  };
  return new Map(
    Object.entries(entries).map(([uid, containers]) => [
      uid,
      new Map(Object.entries(containers).map(([name, cpus]) => [name, parseCpus(cpus)])),
    ]),
  );
}
