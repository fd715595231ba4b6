import { once } from "node:events";
import { connect, isIP } from "node:net";
import { sleep } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import { newNodeId, openAgentFiles } from "#main/agent-process/agent-files.ts";
import type { AgentFiles, Joined } from "#main/agent-process/agent-files.ts";
import type { AgentParts } from "#main/agent-process/agent-parts.ts";
import { explainFailure, isUnreachable } from "#main/agent-process/explain-failure.ts";
import {
  joinCluster,
  nodeClientCertificate,
  tellWaiting,
} from "#main/agent-process/join-cluster.ts";
import { ownPodRange, readAgentConfig } from "#main/agent-process/own-node.ts";
import { requestCertificate } from "#main/agent-process/request-certificate.ts";
import { isUsable, keepCertificate } from "#main/agent-process/rotating-certificate.ts";
import { startServing } from "#main/agent-process/serving.ts";
import { createSwitchingTransport } from "#main/agent-process/switching-transport.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { writeJsonFile } from "#main/json-file.ts";
import { joinedStore, machineAddresses } from "#main/settings.ts";
import type { ClusterSettings } from "#main/settings.ts";

export interface RunAgentOptions extends AgentParts {
  readonly directory: DataDirectory;
  readonly server: string;
  readonly token?: string;
  readonly caCertHashes: readonly string[];
  readonly nodeName: string;
  readonly nodeIp?: string;
  readonly runtime: "containerd" | "simulated";
}

/** A node of a cluster whose server is somewhere else. Disposing of it ends its pods; it stays joined. */
export interface JoinedNode extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
}

/** Joins where that has not been done, and runs the node. On failure nothing is left running. */
export async function runAgent(options: RunAgentOptions): Promise<JoinedNode> {
  await using starting = new AsyncDisposableStack();
  const { directory, server, clock } = options;
  const files = openAgentFiles(directory);
  const { joined, certificate } = await membershipOf(options, files);
  const transportFor = (pair: KeyAndCertificate) =>
    createHttpsTransport({
      server,
      ca: joined.authority,
      clientCert: pair.certificate,
      clientKey: pair.key,
    });
  const transport = starting.use(createSwitchingTransport(transportFor(certificate), clock));
  const client = createClient(transport);
  const config = await untilAnswered(options, () => readAgentConfig(client));
  let held = certificate;
  void keepCertificate({
    ...options,
    held: certificate,
    renew: () =>
      requestCertificate(
        { ...options, client, onWaiting: tellWaiting(options) },
        nodeClientCertificate(joined.nodeName),
      ),
    use: (pair) => {
      files.writePair("client", pair);
      held = pair;
      transport.switchTo(transportFor(pair));
    },
  });
  options.progress.step(`Starting node "${joined.nodeName}"`);
  const address = options.nodeIp ?? (await addressTowards(server));
  const nodePodCidr = await untilAnswered(options, () =>
    ownPodRange(options, client, joined.nodeName),
  );
  const { authority, nodeName } = joined;
  const streams = starting.use(
    await startServing(options, { client, nodeName, address, authority, files }),
  );
  const settings = settingsOf(options, joined, config);
  writeJsonFile(directory.settings, settings);
  const shared = {
    ...config,
    ...options,
    client,
    clientFor: () => client,
    streams,
    identity: () => ({ ...held, authorities: [authority, config.servingAuthority] }),
    address,
    nodePodCidr,
  };
  if (options.runtime === "containerd") {
    const { prepareContainerdNode } = await import("#main/nodes/containerd-node.ts");
    const node = await prepareContainerdNode({ ...options, settings, nodeName });
    await node.start({ ...shared, ownsDnsService: false }, starting);
  } else {
    const { startSimulatedNode } = await import("#main/nodes/simulated-nodes.ts");
    await startSimulatedNode(shared, { name: nodeName, podCidr: nodePodCidr }, starting);
  }
  streams.keep();
  const running = starting.move();
  return { name: nodeName, address, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

interface Kept {
  readonly joined: Joined;
  readonly certificate: KeyAndCertificate;
}

/** What an earlier start joined with, while it is good; else the node joins with its token. */
async function membershipOf(options: RunAgentOptions, files: AgentFiles): Promise<Kept> {
  const kept = files.readJoined();
  const certificate = files.readPair("client");
  if (kept && certificate && isUsable(certificate, options.clock.now())) {
    if (await isStillKnown(options, { joined: kept, certificate })) {
      assertSameName(options, kept);
      return { joined: kept, certificate };
    }
  }
  const { server, token, nodeName, caCertHashes } = options;
  if (token === undefined) throw missingToken(server, certificate !== undefined);
  options.progress.step(`Joining ${server}`);
  const made = await untilAnswered(
    options,
    () => joinCluster(options, { server, token, nodeName, caCertHashes }),
    joinAttemptsMs,
  );
  const joined = { id: kept?.id ?? newNodeId(), nodeName, authority: made.authority };
  files.writePair("client", made.client);
  files.writeJoined(joined);
  return { joined, certificate: made.client };
}

/** With a token at hand a certificate that the server no longer takes is replaced. */
async function isStillKnown(
  options: RunAgentOptions,
  { joined, certificate }: Kept,
): Promise<boolean> {
  using transport = createHttpsTransport({
    server: options.server,
    ca: joined.authority,
    clientCert: certificate.certificate,
    clientKey: certificate.key,
  });
  try {
    await untilAnswered(options, () => readAgentConfig(createClient(transport)));
    return true;
  } catch (error) {
    if (options.token === undefined) throw error;
    options.log.warn("joining anew", { reason: messageOf(error) });
    return false;
  }
}

function assertSameName(
  { nodeName, directory }: RunAgentOptions,
  { nodeName: kept }: Joined,
): void {
  if (nodeName === kept) return;
  throw new Error(
    `Cannot start node "${nodeName}": ${directory.root} belongs to node "${kept}"; choose another --data-dir`,
  );
}

function missingToken(server: string, wasJoined: boolean): Error {
  const why = wasJoined ? "its certificate has expired" : "this node has not joined before";
  return new Error(
    `Cannot join ${server}: ${why}, so --token is needed (\`kogge token create\` where the server runs)`,
  );
}

/** Whoever waits at the terminal wants to know soon that a first join goes nowhere. */
const joinAttemptsMs = 20_000;
const pauseMinMs = 500;
const pauseMaxMs = 15_000;

/** Tries until there is an answer; a refusal is one. Without a limit it waits for the server for ever. */
async function untilAnswered<T>(
  { clock, signal, server, progress, random }: RunAgentOptions,
  ask: () => Promise<T>,
  limitMs = Infinity,
): Promise<T> {
  const untilMs = clock.now() + limitMs;
  for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
    try {
      return await ask();
    } catch (error) {
      const explained = explainFailure(error, server);
      if (signal.aborted || !isUnreachable(error) || clock.now() + pauseMs > untilMs) {
        throw explained;
      }
      if (pauseMs === pauseMinMs) progress.step(`Waiting for the server (${messageOf(explained)})`);
      await sleep(clock, pauseMs * (0.75 + random() / 2), signal);
    }
  }
}

/** The address that this machine has on the way to the server; one that others reach when that is loopback. */
async function addressTowards(server: string): Promise<string> {
  const { hostname, port } = new URL(server);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) });
  try {
    await once(socket, "connect");
    const { localAddress = "" } = socket;
    const plain = localAddress.replace(/^::ffff:/, "");
    if (isIP(plain) !== 0 && !/^(127\.|::1$)/.test(plain)) return plain;
  } finally {
    socket.destroy();
  }
  return machineAddresses()[0] ?? "127.0.0.1";
}

/** In the form of a cluster's settings: so `kogge down` and `kogge reset` know what to clean. */
function settingsOf(
  { runtime }: RunAgentOptions,
  { id }: Joined,
  { podCidr, serviceCidr }: { readonly podCidr: string; readonly serviceCidr: string },
): ClusterSettings {
  return { id, port: 0, runtime, nodes: 1, podCidr, serviceCidr, store: joinedStore };
}
