import { readFile, statfs } from "node:fs/promises";
import type { GroupMemory } from "#agent/node/cgroup-files.ts";

/** What a whole machine uses. */
export interface MachineUsage {
  readonly timeMs: number;
  readonly startedMs: number;
  readonly cpuNanoseconds: number;
  readonly memory: GroupMemory & { readonly availableBytes: number };
  readonly network?: NetworkUsage;
  readonly processes?: { readonly current: number; readonly max: number };
}

export interface NetworkUsage {
  /** The interface that the default route takes. */
  readonly name: string;
  readonly interfaces: readonly InterfaceUsage[];
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

export interface DiskSpace {
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
  readonly inodesUsed: number;
}

/** Nanoseconds of one tick of `/proc/stat`, which has a hundred each second on every architecture. */
const tickNanoseconds = 1e7;

/** Reads them from `/proc`. */
export async function readMachineUsage(nowMs: number): Promise<MachineUsage> {
  const [stat, memory, network, processes] = await Promise.all([
    readFile("/proc/stat", "utf8"),
    readMemory(),
    readNetwork("/proc/self/net"),
    readProcesses(),
  ]);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  const startSeconds = Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0);
  return {
    timeMs: nowMs,
    startedMs: startSeconds * 1000,
    cpuNanoseconds: (user + nice + system + irq + softirq + steal) * tickNanoseconds,
    memory,
    ...(network && { network }),
    processes,
  };
}

/** What can still be had is all but the working set, as upstream counts it for evictions. */
export async function readMemory(): Promise<MachineUsage["memory"]> {
  const [info, stat] = await Promise.all([
    readFile("/proc/meminfo", "utf8"),
    readFile("/proc/vmstat", "utf8"),
  ]);
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(info)?.[1] ?? 0) * 1024;
  const count = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)`, "m").exec(stat)?.[1] ?? 0);
  const totalBytes = bytes("MemTotal");
  const usageBytes = totalBytes - bytes("MemFree");
  const workingSetBytes = Math.max(0, usageBytes - bytes("Inactive\\(file\\)"));
  return {
    availableBytes: totalBytes - workingSetBytes,
    usageBytes,
    workingSetBytes,
    rssBytes: bytes("AnonPages"),
    pageFaults: count("pgfault"),
    majorPageFaults: count("pgmajfault"),
  };
}

/** The interfaces of a network namespace, by a `net` folder of `/proc`; undefined where it is gone. */
export async function readNetwork(folder: string): Promise<NetworkUsage | undefined> {
  const [devices, routes] = await Promise.all([
    readFile(`${folder}/dev`, "utf8").catch(() => ""),
    readFile(`${folder}/route`, "utf8").catch(() => ""),
  ]);
  const interfaces = devices
    .split("\n")
    .slice(2)
    .map(interfaceOf)
    .filter((one) => one !== undefined);
  const byDefault = routes.split("\n").map((line) => line.split("\t"));
  const name = byDefault.find(([, destination]) => destination === "00000000")?.[0];
  const first = interfaces.find((one) => one.name === name) ?? interfaces[0];
  return first && { name: first.name, interfaces };
}

function interfaceOf(line: string): InterfaceUsage | undefined {
  const [name = "", rest = ""] = line.trim().split(/:\s*/);
  if (name === "" || name === "lo") return undefined;
  const numbers = rest.split(/\s+/).map(Number);
  const at = (index: number): number => numbers[index] ?? 0;
  return { name, rxBytes: at(0), rxErrors: at(2), txBytes: at(8), txErrors: at(10) };
}

async function readProcesses(): Promise<{ readonly current: number; readonly max: number }> {
  const [load, pidMax, threadsMax] = await Promise.all(
    ["/proc/loadavg", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map((path) =>
      readFile(path, "utf8").catch(() => ""),
    ),
  );
  const current = Number(/ \d+\/(\d+) /.exec(load ?? "")?.[1] ?? 0);
  return { current, max: Math.min(Number(pidMax) || Infinity, Number(threadsMax) || Infinity) };
}

/** The file system that `path` is on; what only root may still take counts as free. */
export async function readDiskSpace(path: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(path);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
    inodesUsed: files - ffree,
  };
}
