import type { Device, Taint } from "#api/generated/types.ts";

/** Simulated nodes that are alike. */
export interface NodeGroup {
  readonly name: string;
  readonly count: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Nodes get one after the other. */
  readonly zones: readonly string[];
  readonly taints: readonly Taint[];
  readonly os: "linux" | "windows";
  readonly arch: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly pods: number;
  /** Extended resources by name: `nvidia.com/gpu`. */
  readonly extended: Readonly<Record<string, string>>;
  /** What each node publishes in resource slices. */
  readonly devices: readonly DriverDevices[];
  readonly failures?: NodeFailures;
}

/** The devices of one driver on a node. */
export interface DriverDevices {
  readonly driver: string;
  readonly devices: readonly Device[];
}

/** How often a node is out of reach, and how long. */
export interface NodeFailures {
  /** On average, from one failure's end to the next failure. */
  readonly everySeconds: number;
  readonly forSeconds: number;
}

/** How the containers of some pods behave, where the pods' own annotations do not say. */
export interface Lifecycle {
  readonly matchLabels: Readonly<Record<string, string>>;
  /** Named as the annotations are, without their prefix. */
  readonly simulation: Readonly<Record<string, string>>;
}

export interface SimulatedNodesFile {
  readonly groups: readonly NodeGroup[];
  readonly lifecycles: readonly Lifecycle[];
}

export interface PlannedNode {
  readonly name: string;
  readonly group: NodeGroup;
  readonly labels: Readonly<Record<string, string>>;
}

/** The nodes of the groups: `NAME-1`, `NAME-2`, … */
export function plannedNodes(groups: readonly NodeGroup[]): readonly PlannedNode[] {
  return groups.flatMap((group) =>
    Array.from({ length: group.count }, (_, index) => {
      const zone = group.zones[index % group.zones.length];
      const labels = {
        ...group.labels,
        ...(zone !== undefined && { "topology.kubernetes.io/zone": zone }),
      };
      return { name: `${group.name}-${index + 1}`, group, labels };
    }),
  );
}
