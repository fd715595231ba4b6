import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { silentLog } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import { createAgent } from "#agent/agent.ts";
import { startContainerd } from "#agent/containerd/containerd-process.ts";
import type { Containerd } from "#agent/containerd/containerd-process.ts";
import type { NodeIdentity } from "#agent/images/fetch-image.ts";
import { cleanNode } from "#agent/node/clean-node.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { readMachineFacts } from "#agent/node/machine-facts.ts";
import { readNodeSettings } from "#agent/node/read-node-settings.ts";
import { readResolver } from "#agent/node/resolver.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import type { UserInfo } from "#apiserver/request.ts";
import type { Client } from "#client/client.ts";
import { createNodeNetwork, cleanNodeNetwork } from "#network/node-network.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import type { NodeStreams } from "#main/nodes/node-streams.ts";
import type { ClusterSettings } from "#main/settings.ts";

export interface PrepareOptions {
  readonly directory: DataDirectory;
  readonly settings: ClusterSettings;
  readonly nodeName: string;
  readonly log: Log;
}

export interface ContainerdNodeOptions {
  /** What the network follows the cluster with. */
  readonly client: Client;
  /** Default: yes. A node that joined may not write services. */
  readonly ownsDnsService?: boolean;
  readonly clientFor: (user: UserInfo, userAgent: string) => Client;
  readonly streams: Pick<NodeStreams, "port" | "add">;
  /** As what other nodes know it. */
  readonly identity: () => NodeIdentity;
  readonly address: string;
  /** The pods' range of all nodes, and of this one. */
  readonly podCidr: string;
  readonly nodePodCidr: string;
  readonly serviceCidr: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A node whose containerd runs already. */
export interface PreparedNode {
  /** Starts the node once there is an API server. */
  start(options: ContainerdNodeOptions, stack: AsyncDisposableStack): Promise<readonly string[]>;
  /** If the node was never started: ends containerd, unless pods of an earlier process may run in it. */
  discard(): Promise<void>;
}

/** Starts containerd, or takes over the one that is left of an earlier process. */
export async function prepareContainerdNode(prepare: PrepareOptions): Promise<PreparedNode> {
  const { directory, log } = prepare;
  const containerd = await startContainerd({
    dataDir: directory.root,
    cniConfDir: cniConfDir(directory),
    clock: systemClock,
    log,
  });
  let isStarted = false;
  return {
    start(options, stack) {
      isStarted = true;
      return startNode({ ...options, prepare, containerd }, stack);
    },
    async discard() {
      if (!isStarted && !containerd.isTakenOver) await containerd.stop();
    },
  };
}

interface StartOptions extends ContainerdNodeOptions {
  readonly prepare: PrepareOptions;
  readonly containerd: Containerd;
}

async function startNode(
  { prepare, containerd, ...options }: StartOptions,
  stack: AsyncDisposableStack,
): Promise<readonly string[]> {
  const { directory, nodeName, log } = prepare;
  stack.defer(() => containerd.stop());
  const podCidr = options.nodePodCidr;
  const network = await createNodeNetwork({
    dataDir: directory.root,
    cniConfDir: cniConfDir(directory),
    clusterId: prepare.settings.id,
    nodeName,
    nodePodCidr: podCidr,
    clusterPodCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    nodeAddress: options.address,
    client: options.client,
    ownsDnsService: options.ownsDnsService ?? true,
    clock: options.clock,
    log: log.with({ part: "network" }),
  });
  stack.defer(() => network.cleanUp());
  const runtime = stack.use(
    await connectContainerd({
      socket: containerd.socket,
      cdiDir: containerd.paths.cdiDir,
      clock: options.clock,
      log,
      streamClient,
    }),
  );
  stack.use(
    runtime.onEvent(({ kind }) => {
      // A containerd taken over from a crashed server is nobody's child: its end is only seen here.
      if (kind === "runtime-lost") void reviveContainerd(containerd, log);
    }),
  );
  const dataDir = join(directory.nodes, nodeName);
  mkdirSync(dataDir, { recursive: true });
  const agent = await createAgent({
    client: options.clientFor(
      { name: `system:node:${nodeName}`, groups: ["system:nodes", "system:authenticated"] },
      "kubelet",
    ),
    nodeName,
    runtime,
    clock: options.clock,
    random: options.random,
    log: log.with({ part: "agent" }),
    dataDir,
    identity: options.identity,
    machine: readMachineFacts(dataDir),
    dns: {
      clusterServers: [network.dnsIp],
      clusterDomain: "cluster.local",
      node: readResolver(),
    },
    podCidr,
    streamPort: options.streams.port,
    addresses: [options.address],
    cgroupRoot: cgroupRootOf(prepare.settings),
    settings: await readNodeSettings(join(directory.root, "node.yaml"), log),
  });
  stack.defer(() => agent.stopAll());
  options.streams.add(nodeName, agent);
  return [nodeName];
}

/** Ends what a crashed server left of its node. */
export async function cleanContainerdNode(
  directory: DataDirectory,
  settings: ClusterSettings,
): Promise<void> {
  const containerd = await startContainerd({
    dataDir: directory.root,
    cniConfDir: cniConfDir(directory),
    clock: systemClock,
    log: silentLog,
  });
  await containerd.stop();
  for (const name of existsSync(directory.nodes) ? readdirSync(directory.nodes) : []) {
    await cleanNode({ dataDir: join(directory.nodes, name), cgroupRoot: cgroupRootOf(settings) });
  }
  await cleanNodeNetwork({
    dataDir: directory.root,
    clusterId: settings.id,
    clusterPodCidr: settings.podCidr,
  });
}

async function reviveContainerd(containerd: Containerd, log: Log): Promise<void> {
  try {
    await containerd.revive();
  } catch (error) {
    log.error("containerd cannot be started again", { error });
  }
}

function cgroupRootOf(settings: ClusterSettings): string {
  return `/kogge-${settings.id.slice(0, 8)}`;
}

function cniConfDir(directory: DataDirectory): string {
  return join(directory.root, "cni/conf");
}
