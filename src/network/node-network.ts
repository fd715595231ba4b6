import { mkdir, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { pods } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { systemRandom, type Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { createInformers, type Informers } from "#client/informers.ts";
import { writeCniConfig } from "#network/cni/cni-config.ts";
import { createClusterDns, type ClusterDns } from "#network/dns/cluster-dns.ts";
import { dnsSlice, ensureDnsService } from "#network/dns/ensure-dns-service.ts";
import { addressIn } from "#network/ip-range.ts";
import { createNftablesDatapath } from "#network/nftables/nftables-datapath.ts";
import { cleanUpNetwork, networkPaths } from "#network/node/clean-up.ts";
import { applyKernelSettings, rememberedIn } from "#network/node/kernel-settings.ts";
import { clusterNames } from "#network/node/names.ts";
import { letPodsPass } from "#network/node/other-firewalls.ts";
import { ensureDevice } from "#network/node/node-device.ts";
import { createServiceProxy } from "#network/proxy/service-proxy.ts";
import { createNodeRoutes, removeNodeRoutes } from "#network/routes/node-routes.ts";
import { runProgram } from "#network/run.ts";

export interface NodeNetworkParts {
  readonly dataDir: string;
  readonly clusterId: string;
  readonly nodeName: string;
  /** The pods' range on this node: a /24. */
  readonly nodePodCidr: string;
  /** The pods' range of all nodes. */
  readonly clusterPodCidr: string;
  readonly serviceCidr: string;
  readonly client: Client;
  /** Default: informers of its own on `client`. */
  readonly informers?: Informers;
  /** Where containerd looks for its CNI configuration; default `<dataDir>/cni/conf`. */
  readonly cniConfDir?: string;
  /** Default: `cluster.local`. */
  readonly clusterDomain?: string;
  /** The machine's address by which others reach this node; its interface gives the pods' MTU. */
  readonly nodeAddress: string;
  /** Default: this node makes `kube-system/kube-dns`; a node that may not write services finds it there. */
  readonly ownsDnsService?: boolean;
  readonly clock: Clock;
  readonly random?: Random;
  readonly log: Log;
}

/** A node's network. Disposing of it leaves pods connected and services forwarded, but DNS ends. */
export interface NodeNetwork extends AsyncDisposable {
  readonly cniConfDir: string;
  /** The address of cluster DNS, as it stands in pods' `resolv.conf`. */
  readonly dnsIp: string;
  /** The node's address in the pod network: the pods' gateway. */
  readonly gatewayIp: string;
  /** Ends it and removes all of it from the machine; pods must be gone. */
  cleanUp(): Promise<void>;
}

/** Connects the node's pods, serves DNS and forwards services; resolves when all of that is done once. */
export async function createNodeNetwork(parts: NodeNetworkParts): Promise<NodeNetwork> {
  const { dataDir, clusterId, nodePodCidr, serviceCidr, log } = parts;
  const { device, table, cniNetwork } = clusterNames(clusterId);
  const paths = networkPaths(dataDir);
  const cniConfDir = parts.cniConfDir ?? paths.cniConf;
  await rememberRange(paths.state, nodePodCidr);
  await applyKernelSettings(rememberedIn, log);
  await ensureDevice({ device, podCidr: nodePodCidr, serviceCidr, run: runProgram });
  const datapath = await createNftablesDatapath({
    table,
    ranges: { podCidr: nodePodCidr, clusterPodCidr: parts.clusterPodCidr, serviceCidr },
    run: runProgram,
    log,
  });
  await letPodsPass({ clusterPodCidr: parts.clusterPodCidr, table, run: runProgram, log });
  const gatewayIp = addressIn(nodePodCidr, 1);
  const dnsIp = addressIn(serviceCidr, 10);
  const stop = new AbortController();
  await using started = new AsyncDisposableStack();
  started.defer(() => stop.abort());
  const { client, clock, nodeName } = parts;
  const informers = parts.informers ?? createInformers({ client, clock, log, signal: stop.signal });
  started.use(datapath);
  const dns = started.use(await startDns(parts, { informers, gatewayIp, dnsIp }));
  const dnsEndpoint = { ip: gatewayIp, port: dns.port };
  if (parts.ownsDnsService ?? true) {
    await ensureDnsService({ client, clusterIp: dnsIp, endpoint: dnsEndpoint, log });
  }
  const nodePods = createInformer(client, pods, {
    fieldSelector: `spec.nodeName=${nodeName}`,
    clock,
    log,
    signal: stop.signal,
  });
  const { signal } = stop;
  const proxy = started.use(
    createServiceProxy({
      informers,
      pods: nodePods,
      datapath,
      nodeName,
      localDns: dnsSlice(dnsEndpoint),
      clock,
      log,
      signal,
    }),
  );
  started.use(
    createNodeRoutes({
      informers,
      nodeName,
      clusterPodCidr: parts.clusterPodCidr,
      run: runProgram,
      clock,
      log: log.with({ part: "routes" }),
    }),
  );
  await proxy.ready;
  await writeCniConfig(cniConfDir, {
    name: cniNetwork,
    podCidr: nodePodCidr,
    mtu: await mtuOf(parts.nodeAddress),
    ipamDir: paths.ipam,
  });
  log.info("pod network ready", { podCidr: nodePodCidr, dns: `${gatewayIp}:${dns.port}` });
  const running = started.move();
  const dispose = (): Promise<void> => running.disposeAsync();
  return {
    cniConfDir,
    dnsIp,
    gatewayIp,
    cleanUp: async () => {
      await dispose();
      await cleanNodeNetwork({ dataDir, clusterId, clusterPodCidr: parts.clusterPodCidr });
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** Removes what a node's network left on the machine, also after a crash. Harmless when there is nothing. */
export async function cleanNodeNetwork(options: {
  readonly dataDir: string;
  readonly clusterId: string;
  readonly clusterPodCidr: string;
}): Promise<void> {
  const podCidr = await rememberedRange(networkPaths(options.dataDir).state);
  // It is remembered before anything is made.
  if (podCidr === undefined) return;
  await removeNodeRoutes(options.clusterPodCidr, runProgram);
  await cleanUpNetwork({ ...options, podCidr, run: runProgram });
}

function startDns(
  parts: NodeNetworkParts,
  at: { readonly informers: Informers; readonly gatewayIp: string; readonly dnsIp: string },
): Promise<ClusterDns> {
  const { clock, log, clusterDomain = "cluster.local", random = systemRandom } = parts;
  return createClusterDns({
    informers: at.informers,
    clusterDomain,
    ranges: [parts.clusterPodCidr, parts.serviceCidr],
    listen: { host: at.gatewayIp, port: 0 },
    ownAddresses: [at.gatewayIp, at.dnsIp],
    clock,
    random,
    log: log.with({ part: "dns" }),
  });
}

const usualMtu = 1500;

/** What the interface with this address carries, so that packets of pods leave it whole. */
async function mtuOf(address: string): Promise<number> {
  const device = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some((one) => one.address === address && !one.internal),
  )?.[0];
  if (device === undefined) return usualMtu;
  return Number(await readFile(`/sys/class/net/${device}/mtu`, "utf8"));
}

async function rememberRange(state: string, podCidr: string): Promise<void> {
  await mkdir(state, { recursive: true });
  await writeFile(join(state, "pod-cidr"), podCidr);
}

async function rememberedRange(state: string): Promise<string | undefined> {
  try {
    return await readFile(join(state, "pod-cidr"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
