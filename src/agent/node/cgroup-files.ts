import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where control groups are mounted. */
export const cgroupMount = "/sys/fs/cgroup";

/** What all processes of a control group use together. */
export interface GroupUsage {
  /** Of all its life. */
  readonly cpuNanoseconds: number;
  readonly memory: GroupMemory;
  readonly processes?: number;
}

export interface GroupMemory {
  readonly usageBytes: number;
  readonly workingSetBytes: number;
  readonly rssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
}

/** Whether there is only version 2; with both, the controllers are those of version 1. */
export function isUnified(mount = cgroupMount): boolean {
  return existsSync(join(mount, "cgroup.controllers"));
}

/** Reads the group `path` (`/kogge-…`); undefined where it does not exist. */
export async function readControlGroup(
  path: string,
  mount = cgroupMount,
): Promise<GroupUsage | undefined> {
  try {
    return isUnified(mount)
      ? await readUnified(join(mount, path))
      : await readVersion1(mount, path);
  } catch (error) {
    if (goneCodes.has((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** A process of the group or of one right below it; undefined where none is left. */
export async function processOf(path: string, mount = cgroupMount): Promise<number | undefined> {
  const controller = isUnified(mount) ? "" : "pids";
  const text = await readFile(join(mount, controller, path, "cgroup.procs"), "utf8").catch(
    () => "",
  );
  return Number(text.split("\n", 1)[0]) || undefined;
}

/** A group that goes while it is read: its files are no more, or no more readable. */
const goneCodes = new Set(["ENOENT", "ENODEV"]);

async function readUnified(dir: string): Promise<GroupUsage> {
  const [cpu, usage, memory, processes] = await Promise.all([
    readTable(join(dir, "cpu.stat")),
    readNumber(join(dir, "memory.current")),
    readTable(join(dir, "memory.stat")),
    readNumber(join(dir, "pids.current")).catch(() => undefined),
  ]);
  return {
    cpuNanoseconds: (cpu.get("usage_usec") ?? 0) * 1000,
    memory: memoryOf(usage, memory, { cache: "inactive_file", rss: "anon", prefix: "" }),
    ...(processes !== undefined && { processes }),
  };
}

async function readVersion1(mount: string, path: string): Promise<GroupUsage> {
  const [cpuNanoseconds, usage, memory, processes] = await Promise.all([
    readNumber(join(mount, "cpuacct", path, "cpuacct.usage")),
    readNumber(join(mount, "memory", path, "memory.usage_in_bytes")),
    readTable(join(mount, "memory", path, "memory.stat")),
    readNumber(join(mount, "pids", path, "pids.current")).catch(() => undefined),
  ]);
  const names = { cache: "total_inactive_file", rss: "total_rss", prefix: "total_" };
  return {
    cpuNanoseconds,
    memory: memoryOf(usage, memory, names),
    ...(processes !== undefined && { processes }),
  };
}

function memoryOf(
  usageBytes: number,
  table: ReadonlyMap<string, number>,
  names: { readonly cache: string; readonly rss: string; readonly prefix: string },
): GroupMemory {
  return {
    usageBytes,
    workingSetBytes: Math.max(0, usageBytes - (table.get(names.cache) ?? 0)),
    rssBytes: table.get(names.rss) ?? 0,
    pageFaults: table.get(`${names.prefix}pgfault`) ?? 0,
    majorPageFaults: table.get(`${names.prefix}pgmajfault`) ?? 0,
  };
}

async function readNumber(path: string): Promise<number> {
  return Number(await readFile(path, "utf8"));
}

/** `name number` a line. */
async function readTable(path: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [name = "", value = "0"] = line.split(" ");
      return [name, Number(value)];
    }),
  );
}
