import { watch } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type Agent, createAgent } from "#agent/agent.ts";
import type { AgentOptions } from "#agent/agent-options.ts";
import { unmountBelow } from "#agent/containerd/containerd-clean.ts";
import { startContainerd } from "#agent/containerd/containerd-process.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { run } from "#agent/containerd/run.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";
import { readMachineFacts } from "#agent/node/machine-facts.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import type { Pod } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { events, pods, serviceAccounts } from "#api/resources.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { freeSubnet } from "#test/free-subnet.ts";
import { missing } from "#test/needs.ts";

/** What tests of a node with real containers need. */
export const needsContainers = missing("linux", "root", "containerd", "cni", "busybox");

const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };
const shared = { clock: systemClock, random: systemRandom, log: silentLog };

/** The image that is always there: everything that busybox can. */
export const busyboxImage = "busybox:test";

interface RealNodeOptions {
  readonly client?: Client;
  /** All that the node keeps lies on a disk of this size: `200M`. */
  readonly diskSize?: string;
}

/**
 * A containerd of its own, and agents for the node "n" on it, one at a time; with an API server in memory, or as
 * clients of another's.
 */
export async function openRealNode(options: RealNodeOptions = {}) {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "kogge-agent-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  if (options.diskSize) {
    await run("mount", ["-t", "tmpfs", "-o", `size=${options.diskSize}`, "tmpfs", dataDir]);
    stack.defer(() => unmountBelow([dataDir]));
  }
  const client = options.client ?? (await openApi(stack));
  await writeNetwork(dataDir);
  const containerd = await startContainerd({ dataDir, ...shared });
  stack.defer(() => containerd.stop());
  await writeFile(join(dataDir, "busybox.tar"), await busyboxArchive());
  await containerd.importImage(join(dataDir, "busybox.tar"));
  const { socket, paths } = containerd;
  const { cdiDir } = paths;
  const runtime = stack.use(await connectContainerd({ socket, cdiDir, streamClient, ...shared }));
  const cgroupRoot = `/${dataDir.slice(dataDir.lastIndexOf("/") + 1)}`;
  let latest: Agent | undefined;
  stack.defer(() => latest?.stopAll());
  const startAgent = async (changes: Partial<AgentOptions> = {}): Promise<Agent> => {
    latest = await createAgent({
      ...agentOptions({ client, runtime, dataDir, cgroupRoot }),
      ...changes,
    });
    return latest;
  };
  const opened = stack.move();
  return {
    client,
    runtime,
    containerd,
    dataDir,
    cgroupRoot,
    startAgent,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export function agentOptions(
  parts: Pick<AgentOptions, "client" | "runtime"> & {
    readonly dataDir: string;
    readonly cgroupRoot: string;
  },
): AgentOptions {
  return {
    ...shared,
    ...parts,
    nodeName: "n",
    machine: readMachineFacts(parts.dataDir),
    dns: {
      clusterServers: ["10.96.0.10"],
      clusterDomain: "cluster.local",
      node: { servers: [], searches: [], options: [] },
    },
    streamPort: 10250,
    addresses: ["192.168.0.1"],
  };
}

async function openApi(stack: AsyncDisposableStack): Promise<Client> {
  const store = stack.use(createMemoryStore());
  const serviceNetwork = { serviceCidr: "10.96.0.0/16" };
  const server = stack.use(
    await createApiServer({ store, kinds: builtinKinds(), ...shared, serviceNetwork }),
  );
  const client = createClient(createInProcessTransport(server, admin));
  await client.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { namespace: "default", name: "default" },
    automountServiceAccountToken: false,
  });
  return client;
}

async function writeNetwork(dataDir: string): Promise<void> {
  const conf = join(dataDir, "cni", "conf");
  await mkdir(conf, { recursive: true });
  const ranges = [[{ subnet: freeSubnet() }]];
  const ipam = { type: "host-local", dataDir: join(dataDir, "ipam"), ranges };
  const network = { cniVersion: "0.4.0", name: "kogge-agent", plugins: [{ type: "ptp", ipam }] };
  await writeFile(join(conf, "10-test.conflist"), JSON.stringify(network));
}

/** An image of all that busybox can; with other text in its file `marker`, it is another image. */
export async function busyboxArchive(
  name = `docker.io/library/${busyboxImage}`,
  marker = "",
): Promise<Buffer> {
  return ociArchive({
    name,
    files: [
      { path: "marker", content: Buffer.from(marker), mode: 0o644 },
      { path: "bin", directory: true },
      { path: "tmp", directory: true },
      { path: "bin/busybox", content: await readFile("/bin/busybox"), mode: 0o755 },
      ...commands.map((name) => ({ path: `bin/${name}`, linkTo: "busybox" })),
    ],
    command: ["/bin/sh"],
    env: ["PATH=/bin"],
    architecture: process.arch === "x64" ? "amd64" : process.arch,
  });
}

const commands = (
  "sh sleep echo true false cat ls id hostname readlink tail touch dd yes ps kill mkdir rm mv stat df mount " +
  "grep head stty wc seq env nc wget httpd printf chmod sync"
).split(" ");

/** A pod on the node "n" that ends at once when it is told to. */
export function podOnNode(name: string, spec: Partial<NonNullable<Pod["spec"]>> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      nodeName: "n",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      containers: [shellContainer("main", "sleep 1000")],
      ...spec,
    },
  };
}

export function shellContainer(name: string, script: string) {
  return { name, image: busyboxImage, command: ["sh", "-c", script] };
}

/**
 * A container's log as it is, or once it has `lines` lines: a container is Ready before what it says is written.
 */
export async function logsOf(
  agent: Agent,
  pod: string,
  container: string,
  lines = 0,
): Promise<string> {
  const name = { namespace: "default", pod, container };
  const { signal } = new AbortController();
  const options = { follow: false, previous: false, timestamps: false, signal };
  for (;;) {
    const said = await text(await agent.targets.logs(name, options));
    if (said.split("\n").length > lines) return said;
    await delay(50);
  }
}

export function isReady(pod: Pod | undefined): boolean {
  const conditions = pod?.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

const patienceMs = 60_000;

/** Resolves with the pod once it is as wanted; with undefined once it is gone and `isWanted` takes that. */
export async function until(
  client: Client,
  name: string,
  isWanted: (pod: Pod | undefined) => boolean,
): Promise<Pod | undefined> {
  const stop = new AbortController();
  const informer = createInformer(client, pods, { signal: stop.signal, ...shared });
  await informer.synced;
  const at = { namespace: "default", name };
  const { promise, resolve, reject } = Promise.withResolvers<Pod | undefined>();
  const late = setTimeout(
    () => reject(new Error(JSON.stringify(informer.get(at)?.status))),
    patienceMs,
  );
  const look = (): void => {
    const pod = informer.get(at);
    if (isWanted(pod)) resolve(pod);
  };
  informer.onChange(look);
  look();
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    stop.abort();
  }
}

/** Resolves once an event's text is, or matches, what is wanted. */
export async function eventually(client: Client, wanted: string | RegExp): Promise<void> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Error(`no event "${wanted}"`)), patienceMs);
  const options = { signal: stop.signal, sendInitialEvents: true };
  for await (const event of await client.watch(events, {
    ...options,
    resourceVersion: "",
    allowWatchBookmarks: true,
  })) {
    if (event.type === "BOOKMARK") continue;
    const { message = "" } = event.object;
    if (typeof wanted === "string" ? message === wanted : wanted.test(message)) break;
  }
  clearTimeout(late);
  stop.signal.throwIfAborted();
  stop.abort();
}

/** Resolves once a folder has no entry any more: clearing up goes on for a moment after a pod's object is gone. */
export function emptied(folder: string): Promise<void> {
  return changedTo(folder, (names) => names.length === 0);
}

/** The same for a number of entries. */
export function holds(folder: string, count: number): Promise<void> {
  return changedTo(folder, (names) => names.length === count);
}

export function goneFrom(folder: string, name: string): Promise<void> {
  return changedTo(folder, (names) => !names.includes(name));
}

/** Resolves once the names in a folder are as wanted; asked whenever one comes or goes. */
export async function changedTo(
  folder: string,
  isWanted: (names: readonly string[]) => boolean,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let last: readonly string[] = [];
  const late = setTimeout(
    () => reject(new Error(`"${folder}" stays as it is: ${last.join()}`)),
    patienceMs,
  );
  const look = async (): Promise<void> => {
    last = await readdir(folder);
    if (isWanted(last)) resolve();
  };
  const watcher = watch(folder, () => void look());
  await look();
  try {
    await promise;
  } finally {
    clearTimeout(late);
    watcher.close();
  }
}
