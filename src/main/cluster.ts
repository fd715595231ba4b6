import { isIP } from "node:net";
import { hostname } from "node:os";
import { systemClock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { nodes } from "#api/resources.ts";
import { openPkiDirectory } from "#apiserver/node/pki/pki-directory.ts";
import type { Pki } from "#apiserver/node/pki/pki-directory.ts";
import type { Progress } from "#cli/progress.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import type { NodeIdentity } from "#agent/images/fetch-image.ts";
import type { SimulatedNodesFile } from "#agent/simulated/node-groups.ts";
import type { Client } from "#client/client.ts";
import { addressAt } from "#main/cidr.ts";
import { startControlPlane } from "#main/control-plane.ts";
import type { ControlPlane } from "#main/control-plane.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { adminCertificate } from "#main/kubeconfig-command.ts";
import { writeKubeconfig } from "#main/kubeconfig.ts";
import { chooseRanges, rangesOfNodes } from "#main/nodes/node-ranges.ts";
import { startNodeStreams } from "#main/nodes/node-streams.ts";
import { openClusterStore } from "#main/cluster-store.ts";
import { isShared } from "#main/open-store.ts";
import { machineAddresses } from "#main/settings.ts";
import type { ClusterSettings } from "#main/settings.ts";

export interface ClusterOptions {
  readonly directory: DataDirectory;
  readonly settings: ClusterSettings;
  readonly progress: Progress;
  readonly log: Log;
}

/** A cluster that runs in this process. */
export interface Cluster {
  /** The API's URL on this machine. */
  readonly server: string;
  readonly nodes: readonly string[];
  /** Ends the pods, what was started for them, and the server. */
  stop(): Promise<void>;
}

/** Starts what the settings ask for and resolves when every node is Ready. On failure nothing is left running. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { directory, settings, log, progress } = options;
  await using starting = new AsyncDisposableStack();
  const described = await describedNodes(settings);
  const isReal = settings.runtime === "containerd";
  const startMachines = isReal ? await beginMachines(options, starting) : undefined;
  const containers = isReal ? beginContainerd(options) : undefined;
  starting.defer(async () => (await containers?.catch(() => undefined))?.discard());
  progress.step(`Starting the API server on port ${settings.port}`);
  const pki = openPkiDirectory(directory.pki, Date.now());
  // Servers that share a store get a copy of the keys: all are there from the first start.
  pki.servingAuthority();
  const plane = await openControlPlane(options, pki, starting);
  const count = described?.groups.reduce((sum, group) => sum + group.count, 0) ?? settings.nodes;
  progress.step(count === 1 ? "Starting a node" : `Starting ${count} nodes`);
  const [address = "127.0.0.1"] = machineAddresses();
  const streams = starting.use(await startNodeStreams({ pki, client: plane.client, address, log }));
  const shared = {
    ...settings,
    clientFor: plane.clientFor,
    streams,
    address,
    clock: systemClock,
    random: systemRandom,
    log,
  };
  if (count === 0) await reserveDnsAddress(plane.client, settings, log);
  const ranges = await rangesOfNodes(plane.client);
  let names: readonly string[];
  if (containers === undefined) {
    const { startSimulatedNodes } = await import("#main/nodes/simulated-nodes.ts");
    names = await startSimulatedNodes({ ...shared, ...described, count, ranges }, starting);
  } else {
    const name = hostname().toLowerCase();
    const nodePodCidr = chooseRanges([name], ranges, settings.podCidr).get(name) ?? "";
    const identity = () => identityOf(pki, name);
    const node = await containers;
    const own = await node.start(
      { ...shared, client: plane.client, identity, nodePodCidr },
      starting,
    );
    const more = await startMachines?.({ client: plane.client, port: plane.port }, starting);
    names = [...own, ...(more ?? [])];
  }
  await allReady(plane.client, names);
  const server = localUrl(settings.flags, plane.port);
  writeAccess(options, pki, server);
  const running = starting.move();
  return { server, nodes: names, stop: () => running.disposeAsync() };
}

/** A node in this process has no certificate of its own until another node is to know it. */
function identityOf(pki: Pki, name: string): NodeIdentity {
  const subject = { commonName: `system:node:${name}`, organizations: ["system:nodes"] };
  return {
    ...pki.authority.issue({ subject, use: "client" }),
    authorities: [pki.authority.certificate, pki.servingAuthority().certificate],
  };
}

/** The nodes of the file that describes them; read before anything is started. */
async function describedNodes({
  runtime,
  flags = {},
}: ClusterSettings): Promise<SimulatedNodesFile | undefined> {
  if (flags.simulatedNodes === undefined) return undefined;
  if (runtime === "containerd") {
    throw new Error("Cannot use --simulated-nodes with containerd: add --runtime simulated");
  }
  const { readSimulatedNodesFile } = await import("#main/nodes/simulated-nodes-file.ts");
  return readSimulatedNodesFile(flags.simulatedNodes);
}

/** Nodes that join serve DNS for their own pods, but may not write the service themselves. */
async function reserveDnsAddress(
  client: Client,
  { serviceCidr }: ClusterSettings,
  log: Log,
): Promise<void> {
  const { ensureDnsAddress } = await import("#network/dns/ensure-dns-service.ts");
  await ensureDnsAddress({ client, clusterIp: addressAt(serviceCidr, 10), log });
}

/** The first node is this machine itself, the others are played. */
async function beginMachines(options: ClusterOptions, stack: AsyncDisposableStack) {
  const { directory, settings, log } = options;
  if (settings.nodes < 2) return undefined;
  const { prepareMachines } = await import("#main/nodes/machines/machines.ts");
  const machines = { directory, clusterId: settings.id, count: settings.nodes - 1, log };
  return prepareMachines(machines, stack);
}

/** containerd needs a moment to start: that begins while the API server opens its store. */
async function beginContainerd(options: ClusterOptions) {
  const { prepareContainerdNode } = await import("#main/nodes/containerd-node.ts");
  return prepareContainerdNode({ ...options, nodeName: hostname().toLowerCase() });
}

async function openControlPlane(
  options: ClusterOptions,
  pki: Pki,
  stack: AsyncDisposableStack,
): Promise<ControlPlane> {
  const { settings, log } = options;
  const { flags = {} } = settings;
  const addresses = machineAddresses();
  const store = stack.use(await openClusterStore(options, pki));
  try {
    const plane = await startControlPlane({
      store,
      isShared: isShared(settings.store),
      pki,
      // Pods reach the API by the machine's address; without pods nobody from outside needs to.
      host: flags.host ?? (settings.runtime === "containerd" ? "0.0.0.0" : "127.0.0.1"),
      port: settings.port,
      advertiseIp: advertisedIp(flags, addresses),
      serverNames: [hostname().toLowerCase()],
      serverIps: addresses,
      serviceCidr: settings.serviceCidr,
      podCidr: settings.podCidr,
      flags,
      admission: {
        enable: namesIn(flags.enableAdmissionPlugins),
        disable: namesIn(flags.disableAdmissionPlugins),
      },
      clock: systemClock,
      random: systemRandom,
      log,
    });
    return stack.use(plane);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(
      `Cannot listen on port ${settings.port}: another program does; choose one with --port`,
      { cause: error },
    );
  }
}

function namesIn(list = ""): readonly string[] {
  return list.split(",").flatMap((name) => name.trim() || []);
}

/** A single address to listen at is also the one to be reached by. */
function advertisedIp(flags: ServerFlags, addresses: readonly string[]): string {
  return flags.advertiseAddress ?? singleAddress(flags) ?? addresses[0] ?? "127.0.0.1";
}

function localUrl(flags: ServerFlags | undefined, port: number): string {
  const address = singleAddress(flags) ?? "127.0.0.1";
  return `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The address to listen at when it is neither all of them nor a loopback address. */
function singleAddress({ host = "" }: ServerFlags = {}): string | undefined {
  return isIP(host) !== 0 && !/^(0\.0\.0\.0|::|127\..*)$/.test(host) ? host : undefined;
}

const readyTimeoutMs = 60_000;

/** Waits for the Ready condition of each node. */
async function allReady(client: Client, names: readonly string[]): Promise<void> {
  const waiting = new Set(names);
  if (waiting.size === 0) return;
  const signal = AbortSignal.timeout(readyTimeoutMs);
  const events = await client.watch(nodes, {
    signal,
    sendInitialEvents: true,
    allowWatchBookmarks: true,
  });
  for await (const event of events) {
    if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
    const ready = event.object.status?.conditions?.find((condition) => condition.type === "Ready");
    if (ready?.status === "True") waiting.delete(event.object.metadata.name ?? "");
    if (waiting.size === 0) return;
  }
  throw new Error(
    `Cannot start the cluster: not Ready after ${readyTimeoutMs / 1000} s: ${[...waiting].join(", ")}`,
  );
}

function writeAccess({ directory }: ClusterOptions, pki: Pki, server: string): void {
  writeKubeconfig(directory.kubeconfig, {
    server,
    authority: pki.authority.certificate,
    user: "admin",
    credentials: adminCertificate(pki),
  });
}
