import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { startContainerd } from "#agent/containerd/containerd-process.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";
import type { ContainerRuntime, SandboxConfig } from "#agent/runtime/container-runtime.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import type { Pod, ServiceAccount } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { endpointSlices, pods, serviceAccounts, services } from "#api/resources.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { cleanNodeNetwork, createNodeNetwork } from "#network/node-network.ts";
import { clusterNames } from "#network/node/names.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root", "containerd", "cni", "nft");
const shared = { clock: systemClock, random: systemRandom, log: silentLog };
const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };

test(
  "createNodeNetwork() lets pods on containerd find each other by name, address and port, and leaves nothing",
  { skip },
  async () => {
    const before = machineState();
    {
      await using cluster = await openCluster({ pods: "10.213.0.0/16", services: "10.113.0.0/16" });
      const { runtime, client, network } = cluster;
      const web = await startPod(runtime, "web", [
        "busybox",
        "httpd",
        "-f",
        "-p",
        "8080",
        "-h",
        "/www",
      ]);
      const other = await startPod(runtime, "other", ["sleep", "1000"]);
      match(web.ip, /^10\.213\.0\.\d+$/);
      const { clusterIp, nodePort } = await expose(client, web.ip);
      await client.create(serviceAccounts, defaultAccount);
      await client.create(pods, podWithHostPort);
      const status = { phase: "Running", podIP: web.ip, podIPs: [{ ip: web.ip }] };
      const at = { namespace: "default", name: "ports" };
      await client.patch(pods, at, { kind: "merge", value: { status } }, { subresource: "status" });

      const page = "hello from web\n";
      equal(await eventually(() => fetchText(`http://${clusterIp}/`)), page);
      equal(await eventually(() => fetchText(`http://127.0.0.1:${nodePort}/`)), page);
      equal(await eventually(() => fetchText(`http://127.0.0.1:18099/`)), page);
      equal(await other.run("wget", "-qO-", "http://web/"), page);
      equal(await other.run("wget", "-qO-", `http://${clusterIp}/`), page);
      equal(await other.run("wget", "-qO-", `http://${web.ip}:8080/`), page);
      equal(await web.run("wget", "-qO-", "http://web.default.svc.cluster.local/"), page);
      const resolver = new Resolver();
      resolver.setServers([network.dnsIp]);
      deepEqual(await resolver.reverse(clusterIp), ["web.default.svc.cluster.local"]);
    }
    deepEqual(machineState(), before);
  },
);

test(
  "cleanNodeNetwork() removes what a crash left and nothing of a cluster beside it",
  { skip: missing("linux", "root", "nft") },
  async () => {
    const before = machineState();
    await using stack = new AsyncDisposableStack();
    const survivor = await openNetwork(stack, { pods: "10.211.0.0/16", services: "10.111.0.0/16" });
    const crashed = await openNetwork(stack, { pods: "10.212.0.0/16", services: "10.112.0.0/16" });
    await crashed.network[Symbol.asyncDispose]();
    const crashedNames = clusterNames(crashed.options.clusterId);
    ok(machineState().tables.includes(`table ip ${crashedNames.table}`));

    await cleanNodeNetwork(crashed.options);
    await cleanNodeNetwork(crashed.options);
    const { tables, links } = machineState();
    const survivorNames = clusterNames(survivor.options.clusterId);
    deepEqual(
      [tables.includes(survivorNames.table), tables.includes(crashedNames.table)],
      [true, false],
    );
    deepEqual(
      [links.includes(survivorNames.device), links.includes(crashedNames.device)],
      [true, false],
    );
    await survivor.network.cleanUp();
    deepEqual(machineState(), before);
  },
);

interface Ranges {
  readonly pods: string;
  readonly services: string;
}

async function openNetwork(stack: AsyncDisposableStack, ranges: Ranges) {
  const dataDir = await mkdtemp(join(tmpdir(), "kogge-network-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const server = stack.use(
    await createApiServer({
      ...shared,
      store: stack.use(createMemoryStore()),
      kinds: builtinKinds(),
      serviceNetwork: { serviceCidr: ranges.services, nodePorts: { from: 31_900, to: 31_999 } },
    }),
  );
  const client = createClient(createInProcessTransport(server, admin));
  const options = { dataDir, clusterId: dataDir, clusterPodCidr: ranges.pods };
  stack.defer(() => cleanNodeNetwork(options));
  const network = await createNodeNetwork({
    ...shared,
    ...options,
    client,
    nodeName: "n",
    nodePodCidr: ranges.pods.replace("/16", "/24"),
    serviceCidr: ranges.services,
    nodeAddress: "127.0.0.1",
  });
  stack.defer(() => network.cleanUp());
  return { options, client, network };
}

async function openCluster(ranges: Ranges) {
  await using stack = new AsyncDisposableStack();
  const { options, client, network } = await openNetwork(stack, ranges);
  const { dataDir } = options;
  const containerd = await startContainerd({ dataDir, cniConfDir: network.cniConfDir, ...shared });
  stack.defer(() => containerd.stop());
  const archive = join(dataDir, "busybox.tar");
  await writeFile(archive, await busyboxArchive());
  await containerd.importImage(archive);
  const { socket } = containerd;
  const runtime = stack.use(await connectContainerd({ socket, streamClient, ...shared }));
  const opened = stack.move();
  const dispose = () => opened.disposeAsync();
  return { client, network, runtime, dnsIp: network.dnsIp, [Symbol.asyncDispose]: dispose };
}

async function startPod(runtime: ContainerRuntime, name: string, command: readonly string[]) {
  const sandbox = await runtime.runSandbox(
    { ...sandboxDefaults, name, uid: `uid-${name}`, hostname: name },
    new AbortController().signal,
  );
  const container = await runtime.createContainer(sandbox.id, {
    name,
    attempt: 0,
    image: "docker.io/library/busybox:network",
    command,
    args: [],
    workingDir: "",
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: `${name}.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      noNewPrivileges: true,
      supplementalGroups: [],
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: { kind: "unconfined" },
    },
  });
  await runtime.startContainer(container);
  return {
    ip: sandbox.ips[0] ?? "",
    run: async (...command: string[]) =>
      (await runtime.execSync(container, ["busybox", ...command], 10_000)).output,
  };
}

const sandboxDefaults: Omit<SandboxConfig, "name" | "uid" | "hostname"> = {
  namespace: "default",
  attempt: 0,
  logDirectory: "",
  dns: {
    servers: ["10.113.0.10"],
    searches: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
    options: ["ndots:5"],
  },
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  labels: {},
  annotations: {},
  portMappings: [],
  sysctls: {},
};

const defaultAccount: ServiceAccount = {
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { namespace: "default", name: "default" },
};

const podWithHostPort: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "default", name: "ports" },
  spec: {
    nodeName: "n",
    containers: [{ name: "c", image: "i", ports: [{ containerPort: 8080, hostPort: 18_099 }] }],
  },
};

async function expose(client: Client, ip: string) {
  const service = await client.create(services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "default", name: "web" },
    spec: { type: "NodePort", ports: [{ port: 80, targetPort: 8080 }] },
  });
  await client.create(endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace: "default",
      name: "web-1",
      labels: { "kubernetes.io/service-name": "web" },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [ip] }],
    ports: [{ port: 8080, protocol: "TCP", name: "" }],
  });
  return {
    clusterIp: service.spec?.clusterIP ?? "",
    nodePort: service.spec?.ports?.[0]?.nodePort ?? 0,
  };
}

/** What a network might leave behind. */
function machineState() {
  const show = (program: string, ...args: string[]) =>
    execFileSync(program, args, { encoding: "utf8" });
  return {
    tables: show("nft", "list", "tables"),
    links: show("ip", "-o", "link", "show").replaceAll(/(state|qlen) \S+/g, ""),
    addresses: show("ip", "-4", "-o", "address", "show"),
    routes: show("ip", "-4", "route", "show", "table", "main"),
    settings: show("sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet"),
  };
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  return response.text();
}

const patienceMs = 10_000;

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = Date.now() + patienceMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function busyboxArchive(): Promise<Buffer> {
  return ociArchive({
    name: "docker.io/library/busybox:network",
    files: [
      { path: "bin", directory: true },
      { path: "bin/busybox", content: await readFile("/bin/busybox"), mode: 0o755 },
      { path: "bin/sleep", linkTo: "busybox" },
      { path: "www", directory: true },
      { path: "www/index.html", content: "hello from web\n" },
    ],
    command: ["/bin/sh"],
    env: ["PATH=/bin"],
    architecture: process.arch === "x64" ? "amd64" : process.arch,
  });
}
