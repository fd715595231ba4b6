import { deepEqual, equal, match } from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { type Agent, createAgent } from "#agent/agent.ts";
import { startContainerd } from "#agent/containerd/containerd-process.ts";
import { connectContainerd } from "#agent/containerd/containerd-runtime.ts";
import { ociArchive } from "#agent/images/oci-archive.ts";
import { readMachineFacts } from "#agent/node/machine-facts.ts";
import * as streamClient from "#agent/streams/spdy-client.ts";
import type { Pod } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { configMaps, events, pods, secrets, serviceAccounts } from "#api/resources.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root", "containerd", "cni");
const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };
const shared = { clock: systemClock, random: systemRandom, log: silentLog };

test(
  "createAgent() runs a pod on containerd with its volumes, keeps it over a restart and clears it up",
  { skip },
  async () => {
    await using node = await openNode();
    const { client, dataDir } = node;
    await client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "settings" },
      data: { colour: "blue", greeting: "hello" },
    });
    await client.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "key" },
      data: { pin: Buffer.from("1234").toString("base64") },
    });
    let agent = await node.startAgent();
    const created = await client.create(pods, web);
    const running = await until(
      client,
      "web",
      (pod) =>
        pod?.status?.conditions?.some(
          ({ type, status }) => type === "Ready" && status === "True",
        ) ?? false,
    );
    const status = running?.status?.containerStatuses?.[0];
    match(status?.containerID ?? "", /^containerd:\/\/[0-9a-f]{64}$/);
    match(running?.status?.podIP ?? "", /^10\.213\.9\./);
    const lines = (await logsOf(agent, "web")).split("\n");
    deepEqual(lines.slice(0, 7), [
      "blue hello 1234",
      "web default",
      "uid=1000 gid=2000",
      "pin 1234",
      "..data/colour",
      "web",
      `${running?.status?.podIP}\tweb`,
    ]);
    await agent[Symbol.asyncDispose]();

    agent = await node.startAgent();
    const again = await client.get(pods, { namespace: "default", name: "web" });
    equal(again.status?.containerStatuses?.[0]?.containerID, status?.containerID);
    await node.runtime.stopContainer(status?.containerID?.slice(13) ?? "", 0);
    const restarted = await until(
      client,
      "web",
      (pod) =>
        pod?.status?.containerStatuses?.[0]?.restartCount === 1 &&
        pod.status.containerStatuses[0].ready,
    );
    equal(restarted?.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    await client.delete(pods, { namespace: "default", name: "web" });
    await until(client, "web", (pod) => pod === undefined);
    await emptied(node.runtime);
    const uid = created.metadata.uid ?? "";
    equal(existsSync(join(dataDir, "pods", uid)), false);
    deepEqual(await readdir(join(dataDir, "logs", "pods")), []);
    await agent[Symbol.asyncDispose]();
  },
);

test(
  "createAgent() waits for a volume whose config map is missing, with upstream's event",
  { skip },
  async () => {
    await using node = await openNode();
    const agent = await node.startAgent();
    const volumes = [{ name: "v", configMap: { name: "late" } }];
    const pod: Pod = {
      ...web,
      spec: {
        nodeName: "n",
        volumes,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "c",
            image: "busybox:test",
            command: ["sh", "-c", "cat /v/a; sleep 1000"],
            volumeMounts: [{ name: "v", mountPath: "/v" }],
          },
        ],
      },
    };
    await node.client.create(pods, pod);
    await eventually(
      node.client,
      `MountVolume.SetUp failed for volume "v" : configmap "late" not found`,
    );
    await node.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "late" },
      data: { a: "1\n" },
    });
    await until(
      node.client,
      "web",
      (found) => found?.status?.containerStatuses?.[0]?.ready === true,
    );
    equal(await logsOf(agent, "c"), "1\n");
    await agent.stopAll();
  },
);

const script = [
  'echo "$COLOUR $greeting $PIN"',
  'echo "$NAME $SPACE"',
  'echo "uid=$(id -u) gid=$(id -g)"',
  'echo "pin $(cat /secret/pin)"',
  "readlink /settings/colour",
  "hostname",
  "tail -n 1 /etc/hosts",
  "touch /scratch/ready",
  "trap 'exit 0' TERM",
  "while true; do sleep 0.1; done",
].join("; ");

const web: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default" },
  spec: {
    nodeName: "n",
    automountServiceAccountToken: false,
    securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000 },
    containers: [
      {
        name: "web",
        image: "busybox:test",
        command: ["sh", "-c", script],
        env: [
          { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
          { name: "PIN", valueFrom: { secretKeyRef: { name: "key", key: "pin" } } },
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "SPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
        ],
        envFrom: [{ configMapRef: { name: "settings" } }],
        resources: { limits: { memory: "64Mi", cpu: "500m" } },
        readinessProbe: { exec: { command: ["ls", "/scratch/ready"] }, periodSeconds: 1 },
        volumeMounts: [
          { name: "settings", mountPath: "/settings" },
          { name: "key", mountPath: "/secret" },
          { name: "scratch", mountPath: "/scratch", subPath: "a/b" },
        ],
      },
    ],
    volumes: [
      { name: "settings", configMap: { name: "settings" } },
      { name: "key", secret: { secretName: "key" } },
      { name: "scratch", emptyDir: { medium: "Memory" } },
    ],
  },
};

async function openNode() {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "kogge-agent-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
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
  const conf = join(dataDir, "cni", "conf");
  await mkdir(conf, { recursive: true });
  const ranges = [[{ subnet: "10.213.9.0/24" }]];
  const ipam = { type: "host-local", dataDir: join(dataDir, "ipam"), ranges };
  const network = { cniVersion: "0.4.0", name: "kogge-agent", plugins: [{ type: "ptp", ipam }] };
  await writeFile(join(conf, "10-test.conflist"), JSON.stringify(network));
  const containerd = await startContainerd({ dataDir, ...shared });
  stack.defer(() => containerd.stop());
  await writeFile(join(dataDir, "busybox.tar"), await busyboxArchive());
  await containerd.importImage(join(dataDir, "busybox.tar"));
  const { socket } = containerd;
  const runtime = stack.use(await connectContainerd({ socket, streamClient, ...shared }));
  let latest: Agent | undefined;
  stack.defer(() => latest?.stopAll());
  const startAgent = async (): Promise<Agent> => {
    latest = await createAgent({
      ...shared,
      client,
      nodeName: "n",
      runtime,
      dataDir,
      machine: readMachineFacts(dataDir),
      dns: {
        clusterServers: ["10.96.0.10"],
        clusterDomain: "cluster.local",
        node: { servers: [], searches: [], options: [] },
      },
      streamPort: 10250,
      addresses: ["192.168.0.1"],
      cgroupRoot: "/kogge-test-agent",
    });
    return latest;
  };
  const opened = stack.move();
  return {
    client,
    runtime,
    dataDir,
    startAgent,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function logsOf(agent: Agent, container: string): Promise<string> {
  const name = { namespace: "default", pod: "web", container };
  const { signal } = new AbortController();
  return text(
    await agent.targets.logs(name, { follow: false, previous: false, timestamps: false, signal }),
  );
}

const patienceMs = 30_000;

async function until(
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

async function eventually(client: Client, message: string): Promise<void> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Error(`no event "${message}"`)), patienceMs);
  const options = { namespace: "default", signal: stop.signal, sendInitialEvents: true };
  for await (const event of await client.watch(events, {
    ...options,
    resourceVersion: "",
    allowWatchBookmarks: true,
  })) {
    if (event.type !== "BOOKMARK" && event.object.message === message) break;
  }
  clearTimeout(late);
  stop.signal.throwIfAborted();
  stop.abort();
}

/** Clearing up goes on for a moment after the pod's object is gone. */
async function emptied(runtime: { listSandboxes(): Promise<readonly unknown[]> }): Promise<void> {
  const untilMs = Date.now() + patienceMs;
  while ((await runtime.listSandboxes()).length > 0) {
    if (Date.now() > untilMs) throw new Error("a sandbox is left");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function busyboxArchive(): Promise<Buffer> {
  const links = ["sh", "sleep", "echo", "cat", "ls", "id", "hostname", "readlink", "tail", "touch"];
  return ociArchive({
    name: "docker.io/library/busybox:test",
    files: [
      { path: "bin", directory: true },
      { path: "bin/busybox", content: await readFile("/bin/busybox"), mode: 0o755 },
      ...links.map((name) => ({ path: `bin/${name}`, linkTo: "busybox" })),
    ],
    command: ["/bin/sh"],
    env: ["PATH=/bin"],
    architecture: process.arch === "x64" ? "amd64" : process.arch,
  });
}
