import { rfc3339 } from "#base/clock.ts";
import type { DiskSpace, NetworkUsage } from "#agent/node/machine-usage.ts";
import type { ContainerUsage, NodeUsage, PodUsage, ProcessUsage } from "#agent/stats/usage.ts";

/** `/stats/summary`: the shape that upstream's `stats/v1alpha1` documents. Absent is what is not known. */
export function summaryOf(nodeName: string, usage: NodeUsage): object {
  const { machine, disks } = usage;
  const time = rfc3339(machine.timeMs);
  return {
    node: {
      nodeName,
      ...(usage.podsGroup && {
        systemContainers: [
          { name: "pods", startTime: rfc3339(machine.startedMs), ...processes(usage.podsGroup) },
        ],
      }),
      startTime: rfc3339(machine.startedMs),
      ...processes({ ...machine, nanoCores: usage.nanoCores }),
      ...(machine.network && { network: network(time, machine.network) }),
      ...(disks?.node && { fs: filesystem(time, disks.node, disks.node) }),
      ...(disks?.images && {
        runtime: {
          imageFs: filesystem(time, disks.images, {
            usedBytes: disks.images.imageBytes,
            inodesUsed: disks.images.imageInodes,
          }),
          containerFs: filesystem(time, disks.images, writtenBy(usage)),
        },
      }),
      ...(machine.processes && {
        rlimit: { time, maxpid: machine.processes.max, curproc: machine.processes.current },
      }),
    },
    pods: usage.pods.map((pod) => podStats(pod, disks?.node)),
  };
}

function podStats(usage: PodUsage, space: DiskSpace | undefined): object {
  const { name = "", namespace = "", uid = "" } = usage.pod.metadata;
  const startTime = usage.pod.status?.startTime ?? rfc3339(usage.timeMs);
  const time = rfc3339(usage.timeMs);
  const { disk } = usage;
  return {
    podRef: { name, namespace, uid },
    startTime,
    containers: usage.containers.map((container) => containerStats(container, usage, space)),
    ...processes(usage),
    ...(usage.network && { network: network(time, usage.network) }),
    ...(disk && {
      volume: disk.volumes.map(({ name: volume, claim, ...size }) => ({
        time,
        ...filesystem(time, size, size),
        name: volume,
        ...(claim && { pvcRef: { name: claim, namespace } }),
      })),
      ...(space && { "ephemeral-storage": filesystem(time, space, ephemeralOf(usage)) }),
    }),
    ...(usage.processes !== undefined && { process_stats: { process_count: usage.processes } }),
  };
}

function containerStats(
  { state, stats, nanoCores }: ContainerUsage,
  { disk }: PodUsage,
  space: DiskSpace | undefined,
): object {
  const time = rfc3339(stats.timeMs);
  const { timeMs, cpuNanoseconds, writtenBytes, writtenInodes = 0 } = stats;
  const logs = disk?.logs.get(state.name);
  return {
    name: state.name,
    startTime: rfc3339(state.startedMs),
    ...processes({ timeMs, cpuNanoseconds, nanoCores, memory: stats }),
    ...(disk &&
      space &&
      writtenBytes !== undefined && {
        rootfs: filesystem(time, space, { usedBytes: writtenBytes, inodesUsed: writtenInodes }),
      }),
    ...(logs && space && { logs: filesystem(time, space, logs) }),
  };
}

/** What a pod takes of the node's disk: its containers' own files, their logs and its volumes that go with it. */
export function ephemeralOf({ containers, disk }: PodUsage): Size {
  const sizes: Size[] = [
    ...containers.map(({ stats }) => ({
      usedBytes: stats.writtenBytes ?? 0,
      inodesUsed: stats.writtenInodes ?? 0,
    })),
    ...(disk?.logs.values() ?? []),
    ...(disk?.volumes.filter(({ isEphemeral }) => isEphemeral) ?? []),
  ];
  return sumOf(sizes);
}

interface Size {
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

function writtenBy({ pods }: NodeUsage): Size {
  return sumOf(
    pods.flatMap(({ containers }) =>
      containers.map(({ stats: { writtenBytes = 0, writtenInodes = 0 } }) => ({
        usedBytes: writtenBytes,
        inodesUsed: writtenInodes,
      })),
    ),
  );
}

function sumOf(sizes: readonly Size[]): Size {
  return {
    usedBytes: sizes.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
    inodesUsed: sizes.reduce((sum, { inodesUsed }) => sum + inodesUsed, 0),
  };
}

function processes(
  usage: Omit<ProcessUsage, "processes"> & {
    readonly memory: { readonly availableBytes?: number };
  },
) {
  const time = rfc3339(usage.timeMs);
  const { availableBytes, usageBytes, workingSetBytes, rssBytes, pageFaults, majorPageFaults } =
    usage.memory;
  const memory = {
    availableBytes,
    usageBytes,
    workingSetBytes,
    rssBytes,
    pageFaults,
    majorPageFaults,
  };
  return {
    cpu: {
      time,
      usageNanoCores: usage.nanoCores,
      usageCoreNanoSeconds: Math.round(usage.cpuNanoseconds),
    },
    memory: {
      time,
      ...Object.fromEntries(Object.entries(memory).filter(([, value]) => value !== undefined)),
    },
  };
}

function network(time: string, { name, interfaces }: NetworkUsage): object {
  const first = interfaces.find((one) => one.name === name);
  return { time, ...first, interfaces };
}

function filesystem(time: string, space: Omit<DiskSpace, keyof Size>, used: Size): object {
  const { availableBytes, capacityBytes, inodesFree, inodes } = space;
  const { usedBytes, inodesUsed } = used;
  return { time, availableBytes, capacityBytes, usedBytes, inodesFree, inodes, inodesUsed };
}
