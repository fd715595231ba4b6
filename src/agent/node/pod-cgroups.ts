import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";
import { type NodeSettings, quantityBytes } from "#agent/node/node-settings.ts";
import { isLimited, podAmount } from "#agent/pods/pod-amounts.ts";
import { podCgroup } from "#agent/pods/sandbox-config.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

export interface PodCgroupParts {
  /** `/kogge-…`: below it are the pods with everything guaranteed, `burstable` and `besteffort`. */
  readonly root: string;
  readonly mount?: string;
  /** Processes of one pod at most; -1: no limit. */
  readonly podPidsLimit: number;
  /** What all pods together may hold; absent: all of the machine. */
  readonly memoryBytes?: number;
}

/** Only where something is reserved are pods kept from it: the kernel would count every page for nothing. */
export function createPodCgroups(parts: {
  readonly root: string;
  readonly settings: NodeSettings;
  readonly machine: { readonly memoryBytes: number };
}): PodCgroups {
  const { root, settings, machine } = parts;
  const { systemReserved, kubeReserved, podPidsLimit } = settings;
  const reserved = [systemReserved["memory"], kubeReserved["memory"]].filter(
    (one) => one !== undefined,
  );
  if (reserved.length === 0) return new PodCgroups({ root, podPidsLimit });
  const memoryBytes = reserved.reduce(
    (left, one) => left - quantityBytes(one),
    machine.memoryBytes,
  );
  return new PodCgroups({ root, podPidsLimit, memoryBytes });
}

/** What a group is limited to; absent: nothing is set. */
interface GroupLimits {
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly memoryBytes?: number;
  readonly processes?: number;
  /** By the size's name in files: `2MB`. */
  readonly hugePages?: Readonly<Record<string, number>>;
}

const periodUs = 100_000;
const sharesMin = 2;
const sharesMax = 262_144;

/** The control groups above containers: one for each pod, and one for each class of service, as kubelet nests them. */
export class PodCgroups {
  readonly #parts: PodCgroupParts;
  readonly #mount: string;
  readonly #isUnified: boolean;

  constructor(parts: PodCgroupParts) {
    this.#parts = parts;
    this.#mount = parts.mount ?? cgroupMount;
    this.#isUnified = isUnified(this.#mount);
  }

  /** The groups of all pods and of the classes. */
  async prepare(): Promise<void> {
    const { root, memoryBytes } = this.#parts;
    await this.#make(root);
    if (memoryBytes !== undefined) await this.#set(root, { memoryBytes });
    for (const name of ["burstable", "besteffort"]) await this.#make(`${root}/${name}`);
    await this.#set(`${root}/besteffort`, { cpuShares: sharesMin });
  }

  /** A pod's group with its limits; `others` are the node's other pods, whose requests count for the class. */
  async prepareFor(pod: Pod, others: readonly Pod[]): Promise<void> {
    const path = podCgroup(this.#parts.root, pod);
    await this.#make(path);
    await this.#set(path, podLimits(pod, this.#parts.podPidsLimit));
    await this.weigh([...others, pod]);
  }

  /** A pod's limits where they are to grow: before its containers get more. */
  async grow(pod: Pod): Promise<void> {
    const path = podCgroup(this.#parts.root, pod);
    const { memoryBytes, cpuQuotaUs } = podLimits(pod, -1);
    const now = await this.#readBytes(path, limitFiles);
    const grows = memoryBytes !== undefined && memoryBytes > now;
    await this.#set(path, {
      ...(grows && { memoryBytes }),
      ...(cpuQuotaUs !== undefined && { cpuQuotaUs: -1 }),
    });
  }

  /** What a pod may have of memory, and has. */
  async memoryOf(pod: Pod): Promise<{ readonly limitBytes: number; readonly usageBytes: number }> {
    const path = podCgroup(this.#parts.root, pod);
    const [limitBytes, usageBytes] = await Promise.all(
      [limitFiles, usageFiles].map((files) => this.#readBytes(path, files)),
    );
    return { limitBytes: limitBytes ?? Infinity, usageBytes: usageBytes ?? 0 };
  }

  /** Burstable pods together weigh as much as they request together. */
  async weigh(pods: readonly Pod[]): Promise<void> {
    const burstable = pods.filter((pod) => qosClassOf(pod) === "Burstable");
    const nano = burstable.reduce(
      (sum, pod) => sum + (podAmount(pod, "requests", "cpu") ?? 0n),
      0n,
    );
    await this.#set(`${this.#parts.root}/burstable`, { cpuShares: sharesOf(nano) });
  }

  async #make(path: string): Promise<void> {
    if (!this.#isUnified) {
      const folders = ["cpu", "memory", "pids"].map((name) => join(this.#mount, name, path));
      await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
      return;
    }
    await mkdir(join(this.#mount, path), { recursive: true });
    // Controllers reach a group only through every group above it.
    const names = path.split("/").filter(Boolean);
    for (let depth = 0; depth <= names.length; depth += 1) {
      const dir = join(this.#mount, ...names.slice(0, depth));
      const there = (await readFile(join(dir, "cgroup.controllers"), "utf8")).trim().split(/\s+/);
      const wanted = there.filter((name) => delegated.has(name)).map((name) => `+${name}`);
      await writeFile(join(dir, "cgroup.subtree_control"), wanted.join(" "));
    }
  }

  async #set(path: string, limits: GroupLimits): Promise<void> {
    const files = this.#isUnified ? unifiedFiles(limits) : version1Files(limits);
    await Promise.all(files.map((file) => this.#write(path, file)));
  }

  async #write(path: string, [controller, file, value]: FileValue): Promise<void> {
    const dir = this.#isUnified ? this.#mount : join(this.#mount, controller);
    try {
      await writeFile(join(dir, path, file), value);
    } catch (error) {
      // Huge pages are limited only where the kernel can.
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isMissing || controller !== "hugetlb") throw error;
    }
  }

  async #readBytes(path: string, files: MemoryFiles): Promise<number> {
    const file = this.#isUnified
      ? join(this.#mount, path, files.unified)
      : join(this.#mount, "memory", path, files.version1);
    const text = (await readFile(file, "utf8")).trim();
    return text === "max" ? Infinity : Number(text);
  }
}

interface MemoryFiles {
  readonly unified: string;
  readonly version1: string;
}

const limitFiles: MemoryFiles = { unified: "memory.max", version1: "memory.limit_in_bytes" };
const usageFiles: MemoryFiles = { unified: "memory.current", version1: "memory.usage_in_bytes" };

const delegated: ReadonlySet<string> = new Set([
  "cpu",
  "cpuset",
  "hugetlb",
  "io",
  "memory",
  "pids",
]);

/** The limits of a pod's group: what its containers request, and what they may have where each says so. */
export function podLimits(pod: Pod, podPidsLimit: number): GroupLimits {
  const quota = podAmount(pod, "limits", "cpu");
  const memory = podAmount(pod, "limits", "memory");
  const hugePages = hugePagesOf(pod);
  return {
    cpuShares: sharesOf(podAmount(pod, "requests", "cpu") ?? 0n),
    ...(quota !== undefined &&
      isLimited(pod, "cpu") && {
        cpuQuotaUs: Math.max(1000, Math.ceil((Number(quota) / 1e9) * periodUs)),
      }),
    ...(memory !== undefined &&
      isLimited(pod, "memory") && { memoryBytes: Math.ceil(Number(memory) / 1e9) }),
    ...(podPidsLimit > 0 && { processes: podPidsLimit }),
    ...(Object.keys(hugePages).length > 0 && { hugePages }),
  };
}

function hugePagesOf(pod: Pod): Record<string, number> {
  const { resources: whole, containers = [] } = pod.spec ?? {};
  const names = [whole, ...containers.map(({ resources }) => resources)].flatMap((resources) =>
    Object.keys(resources?.limits ?? {}).filter((name) => name.startsWith("hugepages-")),
  );
  return Object.fromEntries(
    [...new Set(names)].map((name) => {
      const nano = podAmount(pod, "limits", name) ?? 0n;
      return [`${name.slice("hugepages-".length).replace("i", "")}B`, Number(nano) / 1e9];
    }),
  );
}

function sharesOf(nano: bigint): number {
  return Math.min(sharesMax, Math.max(sharesMin, Math.floor((Number(nano) / 1e9) * 1024)));
}

type FileValue = readonly [controller: string, file: string, value: string];

function version1Files(limits: GroupLimits): readonly FileValue[] {
  const { cpuShares, cpuQuotaUs, memoryBytes, processes, hugePages = {} } = limits;
  return [
    ...(cpuShares === undefined ? [] : [["cpu", "cpu.shares", `${cpuShares}`] as const]),
    ...(cpuQuotaUs === undefined
      ? []
      : [
          ["cpu", "cpu.cfs_period_us", `${periodUs}`] as const,
          ["cpu", "cpu.cfs_quota_us", `${cpuQuotaUs}`] as const,
        ]),
    ...(memoryBytes === undefined
      ? []
      : [["memory", "memory.limit_in_bytes", `${memoryBytes}`] as const]),
    ...(processes === undefined ? [] : [["pids", "pids.max", `${processes}`] as const]),
    ...Object.entries(hugePages).map(
      ([size, bytes]) => ["hugetlb", `hugetlb.${size}.limit_in_bytes`, `${bytes}`] as const,
    ),
  ];
}

function unifiedFiles(limits: GroupLimits): readonly FileValue[] {
  const { cpuShares, cpuQuotaUs, memoryBytes, processes, hugePages = {} } = limits;
  const quota = cpuQuotaUs === -1 ? "max" : cpuQuotaUs;
  return [
    ...(cpuShares === undefined ? [] : [["cpu", "cpu.weight", `${weightOf(cpuShares)}`] as const]),
    ...(quota === undefined ? [] : [["cpu", "cpu.max", `${quota} ${periodUs}`] as const]),
    ...(memoryBytes === undefined ? [] : [["memory", "memory.max", `${memoryBytes}`] as const]),
    ...(processes === undefined ? [] : [["pids", "pids.max", `${processes}`] as const]),
    ...Object.entries(hugePages).map(
      ([size, bytes]) => ["hugetlb", `hugetlb.${size}.max`, `${bytes}`] as const,
    ),
  ];
}

/** Shares (2 to 262144) as weights (1 to 10000), as the OCI runtimes turn them. */
function weightOf(shares: number): number {
  return Math.floor(1 + ((shares - sharesMin) * 9999) / (sharesMax - sharesMin));
}
