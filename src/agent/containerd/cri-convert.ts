import type {
  ContainerConfig,
  ContainerSecurity,
  ContainerState,
  ContainerStats,
  ImageInfo,
  Mount,
  Resources,
  Sandbox,
  SandboxConfig,
} from "#agent/runtime/container-runtime.ts";
import type {
  CriContainerStats,
  CriContainerStatus,
  CriImage,
  CriPodSandbox,
} from "#agent/containerd/cri-answers.ts";

/** What CRI is asked for, from our shapes, and our shapes from what it answers. All pure. */

export function criSandboxConfig(config: SandboxConfig): object {
  return {
    metadata: {
      name: config.name,
      namespace: config.namespace,
      uid: config.uid,
      attempt: config.attempt,
    },
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: config.dns,
    portMappings: config.portMappings.map((mapping) => ({
      ...mapping,
      protocol: mapping.protocol,
    })),
    labels: config.labels,
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent ?? "",
      sysctls: config.sysctls,
      securityContext: {
        namespaceOptions: namespaceOptions(config),
        privileged: config.privileged ?? false,
        seccomp: { profileType: "RuntimeDefault" },
      },
    },
  };
}

/** A container's configuration; `sandbox` is the one that it runs in, whose namespaces it shares. */
export function criContainerConfig(config: ContainerConfig, sandbox: SandboxConfig): object {
  return {
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    envs: config.env.map(({ name, value }) => ({ key: name, value: Buffer.from(value) })),
    mounts: config.mounts.map(criMount),
    devices: config.devices ?? [],
    CDIDevices: (config.cdiDevices ?? []).map((name) => ({ name })),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: criResources(config.resources),
      securityContext: {
        ...criSecurity(config.security),
        namespaceOptions: {
          ...namespaceOptions(sandbox),
          ...(config.processesOf && { pid: "TARGET", targetId: config.processesOf }),
        },
      },
    },
  };
}

export function criResources(resources: Resources): object {
  return {
    cpuPeriod: resources.cpuPeriodUs ?? 0,
    cpuQuota: resources.cpuQuotaUs ?? 0,
    cpuShares: resources.cpuShares ?? 0,
    memoryLimitInBytes: resources.memoryLimitBytes ?? 0,
    oomScoreAdj: resources.oomScoreAdj ?? 0,
    hugepageLimits: Object.entries(resources.hugePageLimits ?? {}).map(([pageSize, limit]) => ({
      pageSize,
      limit,
    })),
    cpusetCpus: resources.cpus ?? "",
  };
}

function criSecurity(security: ContainerSecurity): object {
  const int64 = (value: number | undefined): object => (value === undefined ? {} : { value });
  return {
    capabilities: {
      addCapabilities: security.addCapabilities,
      dropCapabilities: security.dropCapabilities,
    },
    privileged: security.privileged,
    ...(security.runAsUser !== undefined && { runAsUser: int64(security.runAsUser) }),
    ...(security.runAsGroup !== undefined && { runAsGroup: int64(security.runAsGroup) }),
    ...(security.runAsUserName !== undefined && { runAsUsername: security.runAsUserName }),
    readonlyRootfs: security.readOnlyRootFilesystem,
    supplementalGroups: security.supplementalGroups,
    ...(security.strictGroups && { supplementalGroupsPolicy: "Strict" }),
    noNewPrivs: security.noNewPrivileges,
    maskedPaths: security.privileged || security.unmasked ? [] : maskedPaths,
    readonlyPaths: security.privileged || security.unmasked ? [] : readonlyPaths,
    seccomp: criSeccomp(security),
    ...(security.appArmorProfile !== undefined && { apparmor: criAppArmor(security) }),
  };
}

function criAppArmor({ appArmorProfile }: ContainerSecurity): object {
  if (appArmorProfile === "") return { profileType: "Unconfined" };
  return { profileType: "Localhost", localhostRef: appArmorProfile };
}

function criSeccomp({ seccomp }: ContainerSecurity): object {
  switch (seccomp.kind) {
    case "runtime-default":
      return { profileType: "RuntimeDefault" };
    case "unconfined":
      return { profileType: "Unconfined" };
    case "localhost":
      return { profileType: "Localhost", localhostRef: seccomp.path };
  }
}

/** What upstream hides from containers, and what it lets them only read. */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function namespaceOptions(sandbox: SandboxConfig): object {
  return {
    network: sandbox.hostNetwork ? "NODE" : "POD",
    pid: sandbox.hostPid ? "NODE" : sandbox.shareProcessNamespace ? "POD" : "CONTAINER",
    ipc: sandbox.hostIpc ? "NODE" : "POD",
  };
}

function criMount(mount: Mount): object {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readOnly,
    recursiveReadOnly: mount.recursiveReadOnly ?? false,
    propagation: {
      private: "PROPAGATION_PRIVATE",
      "host-to-container": "PROPAGATION_HOST_TO_CONTAINER",
      bidirectional: "PROPAGATION_BIDIRECTIONAL",
    }[mount.propagation],
  };
}

export function sandboxOf(answer: CriPodSandbox, ips: readonly string[]): Sandbox {
  return {
    id: answer.id,
    name: answer.metadata?.name ?? "",
    namespace: answer.metadata?.namespace ?? "",
    uid: answer.metadata?.uid ?? "",
    attempt: answer.metadata?.attempt ?? 0,
    state: answer.state === 0 ? "ready" : "not-ready",
    createdMs: milliseconds(answer.createdAt),
    ips,
    labels: answer.labels,
  };
}

const containerStates = ["created", "running", "exited", "unknown"] as const;

export function containerStateOf(status: CriContainerStatus, sandboxId: string): ContainerState {
  return {
    id: status.id,
    sandboxId,
    name: status.metadata?.name ?? "",
    attempt: status.metadata?.attempt ?? 0,
    state: containerStates[status.state] ?? "unknown",
    image: status.image?.image ?? "",
    imageId: status.imageRef,
    createdMs: milliseconds(status.createdAt),
    startedMs: milliseconds(status.startedAt),
    finishedMs: milliseconds(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    logPath: status.logPath,
    labels: status.labels,
    annotations: status.annotations,
  };
}

export function imageInfoOf(image: CriImage): ImageInfo {
  const user = image.uid ? String(image.uid.value) : image.username;
  return {
    id: image.id,
    tags: image.repoTags,
    digests: image.repoDigests,
    sizeBytes: image.size,
    user,
  };
}

/** Undefined for a container that does not run. */
export function containerStatsOf(answer: CriContainerStats): ContainerStats | undefined {
  const { attributes, cpu, memory, writableLayer } = answer;
  if (!attributes || !cpu?.usageCoreNanoSeconds || !memory?.workingSetBytes) return undefined;
  const optional = {
    usageBytes: memory.usageBytes?.value,
    rssBytes: memory.rssBytes?.value,
    pageFaults: memory.pageFaults?.value,
    majorPageFaults: memory.majorPageFaults?.value,
    writtenBytes: writableLayer?.usedBytes?.value,
    writtenInodes: writableLayer?.inodesUsed?.value,
  };
  const known = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    id: attributes.id,
    timeMs: milliseconds(cpu.timestamp),
    cpuNanoseconds: cpu.usageCoreNanoSeconds.value,
    workingSetBytes: memory.workingSetBytes.value,
    ...(Object.fromEntries(known) as Partial<Record<keyof typeof optional, number>>),
  };
}

function milliseconds(nanoseconds: number): number {
  return Math.floor(nanoseconds / 1e6);
}
