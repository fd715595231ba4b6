import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { arch, cpus, hostname, release, totalmem } from "node:os";
import process from "node:process";

/** What the node object says of the machine. */
export interface MachineFacts {
  readonly hostname: string;
  /** As Go names it: `amd64`. */
  readonly architecture: string;
  readonly operatingSystem: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Bytes of huge pages by size, as resources are named: `2Mi`. */
  readonly hugePages: Readonly<Record<string, number>>;
  /** Further resources by name, where no plugin says them. */
  readonly extended?: Readonly<Record<string, string>>;
  readonly hasAppArmor: boolean;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
}

/** Reads them from this machine; `dir` is on the disk whose size counts. */
export function readMachineFacts(dir: string): MachineFacts {
  const disk = statfsSync(dir);
  const machineId = readLine("/etc/machine-id");
  return {
    hostname: hostname().toLowerCase(),
    architecture: { x64: "amd64", ia32: "386" }[arch() as string] ?? arch(),
    operatingSystem: process.platform,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    diskBytes: disk.blocks * disk.bsize,
    hugePages: readHugePages(),
    hasAppArmor: readLine("/sys/module/apparmor/parameters/enabled") === "Y",
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(readText("/etc/os-release"))?.[1] ?? process.platform,
    machineId,
    systemUuid: readLine("/sys/class/dmi/id/product_uuid") || machineId,
    bootId: readLine("/proc/sys/kernel/random/boot_id"),
  };
}

/** A machine that is only simulated. */
export function simulatedMachine(name: string): MachineFacts {
  return {
    hostname: name,
    architecture: "amd64",
    operatingSystem: "linux",
    cpus: 8,
    memoryBytes: 32 * 1024 ** 3,
    diskBytes: 100 * 1024 ** 3,
    hugePages: {},
    hasAppArmor: true,
    kernelVersion: "0.0.0-simulated",
    osImage: "Kogge simulated node",
    machineId: name,
    systemUuid: name,
    bootId: name,
  };
}

function readHugePages(): Record<string, number> {
  const root = "/sys/kernel/mm/hugepages";
  const folders = existsSync(root) ? readdirSync(root) : [];
  return Object.fromEntries(
    folders.map((folder) => {
      const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(folder)?.[1] ?? 0);
      const pages = Number(readLine(`${root}/${folder}/nr_hugepages`));
      const size = kibibytes >= 1024 ** 2 ? `${kibibytes / 1024 ** 2}Gi` : `${kibibytes / 1024}Mi`;
      return [size, pages * kibibytes * 1024];
    }),
  );
}

function readLine(path: string): string {
  return readText(path).trim();
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A machine without the file, or a container that may not read it, has no such fact.
    return "";
  }
}
