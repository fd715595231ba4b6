import type { Node, NodeCondition, NodeStatus, Taint } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import type { DeviceAmounts } from "#agent/devices/device-manager.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import { allocatableOf } from "#agent/node/allocatable.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import type { MachineFacts } from "#agent/node/machine-facts.ts";
import type { ImageInfo } from "#agent/runtime/container-runtime.ts";

export interface NodeParts {
  readonly name: string;
  readonly machine: MachineFacts;
  readonly addresses: readonly string[];
  readonly runtimeVersion: string;
  readonly streamPort: number;
  readonly podCidr?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the node is created with. */
  readonly taints?: readonly Taint[];
  readonly podsMax: number;
  /** What reserves resources and ends pods; absent where nothing does, as on a simulated node. */
  readonly settings?: NodeSettings;
  /** Devices that plugins have. */
  readonly devices?: () => DeviceAmounts;
}

/** The version that the node says it has: the API's. */
export const kubeletVersion = "v1.36.0";

const imagesMax = 50;

function hugePages({ hugePages: found }: MachineFacts): Record<string, string> {
  const sizes = { "1Gi": 0, "2Mi": 0, ...found };
  return Object.fromEntries(
    Object.entries(sizes).map(([size, bytes]) => [
      `hugepages-${size}`,
      bytes === 0 ? "0" : `${bytes / 1024 ** 2}Mi`,
    ]),
  );
}

/** What events about a node point to; its uid is its name, as upstream's node agent has it. */
export function nodeReference(name: string): Node {
  return { apiVersion: "v1", kind: "Node", metadata: { name, uid: name } };
}

export function nodeObject(parts: NodeParts): Node {
  const { name, machine } = parts;
  const platform = { arch: machine.architecture, os: machine.operatingSystem };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "beta.kubernetes.io/arch": platform.arch,
        "beta.kubernetes.io/os": platform.os,
        "kubernetes.io/arch": platform.arch,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": platform.os,
        ...parts.labels,
      },
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
    },
    spec: {
      ...(parts.podCidr && { podCIDR: parts.podCidr, podCIDRs: [parts.podCidr] }),
      ...(parts.taints?.length && { taints: parts.taints }),
    },
  };
}

/** The status: what the node has, and how it is. `ready` is undefined while all is well, else why it is not. */
export function nodeStatus(
  parts: NodeParts,
  observed: {
    readonly nowMs: number;
    readonly notReady?: string;
    readonly pressures: ReadonlySet<Pressure>;
    readonly images: readonly ImageInfo[];
    readonly old: readonly NodeCondition[];
  },
): NodeStatus {
  const { machine } = parts;
  const devices = parts.devices?.();
  const capacity = {
    cpu: String(machine.cpus),
    "ephemeral-storage": `${Math.floor(machine.diskBytes / 1024)}Ki`,
    ...hugePages(machine),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: String(parts.podsMax),
    ...machine.extended,
  };
  return {
    addresses: [
      ...parts.addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: parts.name },
    ],
    allocatable: {
      ...(parts.settings ? allocatableOf(capacity, parts.settings) : capacity),
      ...devices?.allocatable,
    },
    capacity: { ...capacity, ...devices?.capacity },
    conditions: conditions(observed),
    daemonEndpoints: { kubeletEndpoint: { Port: parts.streamPort } },
    images: observed.images
      .map(({ tags, digests, sizeBytes }) => ({ names: [...digests, ...tags], sizeBytes }))
      .filter(({ names }) => names.length > 0)
      .toSorted((left, right) => right.sizeBytes - left.sizeBytes)
      .slice(0, imagesMax),
    nodeInfo: {
      architecture: machine.architecture,
      bootID: machine.bootId,
      containerRuntimeVersion: parts.runtimeVersion,
      kernelVersion: machine.kernelVersion,
      kubeProxyVersion: "",
      kubeletVersion,
      machineID: machine.machineId,
      operatingSystem: machine.operatingSystem,
      osImage: machine.osImage,
      systemUUID: machine.systemUuid,
    },
  };
}

function conditions(observed: {
  readonly nowMs: number;
  readonly notReady?: string;
  readonly pressures: ReadonlySet<Pressure>;
  readonly old: readonly NodeCondition[];
}): readonly NodeCondition[] {
  const { notReady, old, pressures } = observed;
  const now = rfc3339(observed.nowMs);
  const pressed = pressureWords.map(({ type, short, fine }) =>
    pressures.has(type) ? ([type, "True", ...short] as const) : ([type, "False", ...fine] as const),
  );
  const all = [
    ...pressed,
    notReady === undefined
      ? (["Ready", "True", "KubeletReady", "kubelet is posting ready status"] as const)
      : (["Ready", "False", "KubeletNotReady", notReady] as const),
  ];
  const others = old.filter(({ type }) => !all.some(([mine]) => mine === type));
  return [
    ...others,
    ...all.map(([type, status, reason, message]) => {
      const before = old.find((condition) => condition.type === type);
      const lastTransitionTime =
        before?.status === status ? (before.lastTransitionTime ?? now) : now;
      return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime };
    }),
  ];
}

const pressureWords: readonly {
  readonly type: Pressure;
  readonly short: readonly [string, string];
  readonly fine: readonly [string, string];
}[] = [
  {
    type: "MemoryPressure",
    short: ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
    fine: ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
  },
  {
    type: "DiskPressure",
    short: ["KubeletHasDiskPressure", "kubelet has disk pressure"],
    fine: ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
  },
  {
    type: "PIDPressure",
    short: ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
    fine: ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
  },
];

/** `NodeHasDiskPressure`: the event that tells of a condition's change. */
export function conditionEvent({ type, status, reason = "" }: NodeCondition): string {
  if (type === "Ready") return status === "True" ? "NodeReady" : "NodeNotReady";
  return reason.replace(/^Kubelet/, "Node");
}
