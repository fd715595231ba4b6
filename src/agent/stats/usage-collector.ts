import type { Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { cgroupMount, processOf, readControlGroup } from "#agent/node/cgroup-files.ts";
import { type MachineUsage, readDiskSpace, readNetwork } from "#agent/node/machine-usage.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { PodManager } from "#agent/pods/pod-manager.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import { podCgroup } from "#agent/pods/sandbox-config.ts";
import type { ContainerRuntime, ContainerStats } from "#agent/runtime/container-runtime.ts";
import {
  type ContainerUsage,
  CpuRates,
  type NodeDisks,
  type NodeUsage,
  type PodUsage,
  type ProcessUsage,
} from "#agent/stats/usage.ts";

export interface UsageParts {
  readonly manager: PodManager;
  readonly view: RuntimeView;
  readonly runtime: ContainerRuntime;
  readonly files: PodFiles;
  readonly clock: Clock;
  readonly cgroupRoot?: string;
  readonly cgroupMount?: string;
  /** Where pods' files are; absent on a node that keeps none. */
  readonly dataDir?: string;
  readonly machine: (stats: readonly ContainerStats[]) => Promise<MachineUsage>;
}

/** Gathers what the node uses, when asked; nothing is measured in between. */
export class UsageCollector {
  readonly #parts: UsageParts;
  readonly #rates = new CpuRates();

  constructor(parts: UsageParts) {
    this.#parts = parts;
  }

  async collect(options: { readonly disks: boolean }): Promise<NodeUsage> {
    const { runtime, manager, cgroupRoot } = this.#parts;
    const stats = await runtime.containerStats();
    const byId = new Map(stats.map((one) => [one.id, one]));
    const [machine, podsGroup, pods, disks] = await Promise.all([
      this.#parts.machine(stats),
      cgroupRoot ? this.#group(cgroupRoot, 0) : undefined,
      Promise.all(manager.pods().map((pod) => this.#pod(pod, byId, options.disks))),
      options.disks ? this.#disks() : undefined,
    ]);
    const nanoCores = this.#rates.rate("machine", machine, machine.startedMs);
    this.#rates.prune();
    return {
      machine,
      nanoCores,
      pods: pods.filter((pod) => pod !== undefined),
      ...(podsGroup && { podsGroup }),
      ...(disks && { disks }),
    };
  }

  /** What these pods use, those of which something runs. */
  async podsOf(pods: readonly Pod[], withDisk: boolean): Promise<readonly PodUsage[]> {
    const stats = await this.#parts.runtime.containerStats();
    const byId = new Map(stats.map((one) => [one.id, one]));
    const usages = await Promise.all(pods.map((pod) => this.#pod(pod, byId, withDisk)));
    return usages.filter((usage) => usage !== undefined);
  }

  /** Undefined for a pod of which nothing runs. */
  async #pod(
    pod: Pod,
    stats: ReadonlyMap<string, ContainerStats>,
    withDisk: boolean,
  ): Promise<PodUsage | undefined> {
    const { view, files, cgroupRoot } = this.#parts;
    const uid = pod.metadata.uid ?? "";
    const [sandbox] = view.sandboxesOf(uid);
    if (sandbox?.state !== "ready") return undefined;
    const states = view.containersOf(uid).filter(({ state }) => state === "running");
    const containers = podContainers(pod).flatMap(({ spec }): ContainerUsage[] => {
      const state = states.find(({ name }) => name === spec.name);
      const found = state && stats.get(state.id);
      if (state === undefined || found === undefined) return [];
      const nanoCores = this.#rates.rate(state.id, found, state.startedMs);
      return [{ state, stats: found, nanoCores }];
    });
    const group = cgroupRoot
      ? await this.#group(podCgroup(cgroupRoot, pod), sandbox.createdMs)
      : undefined;
    const network = await this.#network(pod, sandbox.id);
    return {
      pod,
      containers,
      ...(group ?? this.#sum(pod, containers)),
      ...(network && { network }),
      ...(withDisk && { disk: await files.diskUsage(pod) }),
    };
  }

  async #group(path: string, startedMs: number): Promise<ProcessUsage | undefined> {
    const { clock, cgroupMount: mount = cgroupMount } = this.#parts;
    const found = await readControlGroup(path, mount);
    if (found === undefined) return undefined;
    const timeMs = clock.now();
    return { ...found, timeMs, nanoCores: this.#rates.rate(path, { ...found, timeMs }, startedMs) };
  }

  /** Where a pod has no control group of its own, it uses what its containers use. */
  #sum({ metadata }: Pod, containers: readonly ContainerUsage[]): ProcessUsage {
    const total = (read: (stats: ContainerStats) => number): number =>
      containers.reduce((sum, { stats }) => sum + read(stats), 0);
    const timeMs = containers[0]?.stats.timeMs ?? this.#parts.clock.now();
    const cpuNanoseconds = total((stats) => stats.cpuNanoseconds);
    const nanoCores = containers.reduce((sum, one) => sum + one.nanoCores, 0);
    this.#rates.rate(metadata.uid ?? "", { timeMs, cpuNanoseconds }, timeMs);
    return {
      timeMs,
      cpuNanoseconds,
      nanoCores,
      memory: {
        workingSetBytes: total((stats) => stats.workingSetBytes),
        usageBytes: total((stats) => stats.usageBytes ?? 0),
        rssBytes: total((stats) => stats.rssBytes ?? 0),
      },
    };
  }

  /** As the sandbox's own process sees it. */
  async #network(pod: Pod, sandboxId: string): Promise<PodUsage["network"]> {
    const { cgroupRoot, cgroupMount: mount = cgroupMount } = this.#parts;
    if (cgroupRoot === undefined || pod.spec?.hostNetwork) return undefined;
    const pid = await processOf(`${podCgroup(cgroupRoot, pod)}/${sandboxId}`, mount);
    return pid === undefined ? undefined : readNetwork(`/proc/${pid}/net`);
  }

  async #disks(): Promise<NodeDisks> {
    const { runtime, dataDir } = this.#parts;
    const [images, node] = await Promise.all([
      runtime.imageFilesystem(),
      dataDir ? readDiskSpace(dataDir) : undefined,
    ]);
    const space = images.path ? await readDiskSpace(images.path).catch(() => undefined) : undefined;
    const { usedBytes: imageBytes, inodesUsed: imageInodes } = images;
    return {
      ...(node && { node }),
      ...(space && { images: { ...space, imageBytes, imageInodes } }),
    };
  }
}
