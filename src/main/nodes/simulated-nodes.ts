import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import { createAgent } from "#agent/agent.ts";
import { simulatedMachine } from "#agent/node/machine-facts.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import type { Client } from "#client/client.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { addressAt } from "#main/cidr.ts";
import { chooseRanges } from "#main/nodes/node-ranges.ts";
import type { NodeStreams } from "#main/nodes/node-streams.ts";

export interface SimulatedNodesOptions extends SimulatedNodeOptions {
  readonly count: number;
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
}

/** Nodes whose containers are only bookkeeping: they need neither root nor Linux. Returns their names. */
export async function startSimulatedNodes(
  options: SimulatedNodesOptions,
  stack: AsyncDisposableStack,
): Promise<readonly string[]> {
  const names = Array.from({ length: options.count }, (_, index) => `node-${index + 1}`);
  const ranges = chooseRanges(names, options.ranges, options.podCidr);
  for (let from = 0; from < names.length; from += atOnce) {
    const batch = names.slice(from, from + atOnce);
    await Promise.all(
      batch.map((name) =>
        startSimulatedNode(options, { name, podCidr: ranges.get(name) ?? "" }, stack),
      ),
    );
  }
  return names;
}

/** So many nodes register side by side. */
const atOnce = 64;

export async function startSimulatedNode(
  options: SimulatedNodeOptions,
  node: { readonly name: string; readonly podCidr: string },
  stack: AsyncDisposableStack,
): Promise<void> {
  const { clock, random, address } = options;
  const { podCidr } = node;
  const agent = await createAgent({
    client: options.clientFor(
      { name: `system:node:${node.name}`, groups: ["system:nodes", "system:authenticated"] },
      "kubelet",
    ),
    nodeName: node.name,
    runtime: createSimulatedRuntime({ clock, random, podCidr, processes: simulatedProcesses }),
    clock,
    random,
    log: options.log.with({ node: node.name }),
    machine: simulatedMachine(node.name),
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
}
