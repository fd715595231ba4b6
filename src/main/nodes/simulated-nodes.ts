import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import { createAgent } from "#agent/agent.ts";
import { simulatedMachine, type MachineFacts } from "#agent/node/machine-facts.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { publishDevices } from "#agent/simulated/publish-devices.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import { plannedNodes, type Lifecycle, type NodeGroup } from "#agent/simulated/node-groups.ts";
import { unreachableClient } from "#agent/simulated/unreachable-client.ts";
import type { Client } from "#client/client.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { addressAt } from "#main/cidr.ts";
import { chooseRanges } from "#main/nodes/node-ranges.ts";
import type { NodeStreams } from "#main/nodes/node-streams.ts";

export interface SimulatedNodesOptions extends SimulatedNodeOptions {
  /** How many nodes of the usual kind; `groups` come instead of them. */
  readonly count: number;
  readonly groups?: readonly NodeGroup[];
  readonly podCidr: string;
  /** The ranges that nodes of the cluster have already, by their names. */
  readonly ranges: ReadonlyMap<string, string>;
}

export interface SimulatedNodeOptions {
  readonly clientFor: (user: UserInfo, userAgent: string) => Client;
  readonly streams: Pick<NodeStreams, "port" | "add">;
  /** What every node says is its address: where the stream server listens. */
  readonly address: string;
  readonly serviceCidr: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How containers behave whose pods do not say it. */
  readonly lifecycles?: readonly Lifecycle[];
}

/** Nodes whose containers are only bookkeeping: they need neither root nor Linux. Returns their names. */
export async function startSimulatedNodes(
  options: SimulatedNodesOptions,
  stack: AsyncDisposableStack,
): Promise<readonly string[]> {
  const planned = nodesOf(options);
  const names = planned.map(({ name }) => name);
  const ranges = chooseRanges(names, options.ranges, options.podCidr);
  for (let from = 0; from < planned.length; from += atOnce) {
    const batch = planned.slice(from, from + atOnce);
    await Promise.all(
      batch.map((node) =>
        startSimulatedNode(options, { ...node, podCidr: ranges.get(node.name) ?? "" }, stack),
      ),
    );
  }
  return names;
}

function nodesOf({ count, groups }: SimulatedNodesOptions): readonly SimulatedNode[] {
  if (groups) return plannedNodes(groups);
  return Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}` }));
}

interface SimulatedNode {
  readonly name: string;
  readonly group?: NodeGroup;
  readonly labels?: Readonly<Record<string, string>>;
}

/** So many nodes register side by side. */
const atOnce = 64;

export async function startSimulatedNode(
  options: SimulatedNodeOptions,
  node: SimulatedNode & { readonly podCidr: string },
  stack: AsyncDisposableStack,
): Promise<void> {
  const { clock, random, address, lifecycles } = options;
  const { podCidr, group } = node;
  const client = options.clientFor(
    { name: `system:node:${node.name}`, groups: ["system:nodes", "system:authenticated"] },
    "kubelet",
  );
  const { failures } = group ?? {};
  const agent = await createAgent({
    client: failures ? stack.use(unreachableClient(client, { clock, random, failures })) : client,
    nodeName: node.name,
    runtime: createSimulatedRuntime({
      clock,
      random,
      podCidr,
      processes: simulatedProcesses,
      ...(lifecycles && { lifecycles }),
    }),
    clock,
    random,
    log: options.log.with({ node: node.name }),
    machine: machineOf(node),
    ...(node.labels && { labels: node.labels }),
    ...(group && { taints: group.taints, settings: { maxPods: group.pods } }),
    dns: {
      clusterServers: [addressAt(options.serviceCidr, 10)],
      clusterDomain: "cluster.local",
      node: { servers: [], searches: [], options: [] },
    },
    podCidr,
    streamPort: options.streams.port,
    addresses: [address],
  });
  stack.use(agent);
  options.streams.add(node.name, agent);
  if (group) await publishDevices(client, node.name, group.devices);
}

function machineOf({ name, group }: SimulatedNode): MachineFacts {
  const machine = simulatedMachine(name);
  if (group === undefined) return machine;
  const { os, arch, cpus, memoryBytes, diskBytes, extended } = group;
  const size = { cpus, memoryBytes, diskBytes, extended };
  return { ...machine, operatingSystem: os, architecture: arch, ...size };
}
