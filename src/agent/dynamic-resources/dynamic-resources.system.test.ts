import { deepEqual, equal, match } from "node:assert/strict";
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { podResourcesTable } from "#agent/devices/device-messages.ts";
import type { Container, DeviceClass, Pod, ResourceClaimTemplate } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import {
  deviceClasses,
  pods,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
} from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import { createCluster } from "#main/testing.ts";
import {
  eventually,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const driverName = "dra.example.com";
const program = new URL("../../../examples/dra-driver/driver.ts", import.meta.url).pathname;
const agentProgram = new URL("../../../test/agent-process.ts", import.meta.url).pathname;
const at = (name: string) => ({ namespace: "default", name });

/** A real node of a cluster whose API is served over HTTPS, as drivers need it. */
async function openNode() {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await createCluster({ nodes: 0 }));
  const { client } = cluster;
  const node = stack.use(await openRealNode({ client }));
  const { dataDir } = node;
  const kubeconfig = join(dataDir, "kubeconfig");
  cluster.writeKubeconfig(kubeconfig);
  const calls = join(dataDir, "calls");
  writeFileSync(calls, "");
  const startDriver = async (...more: readonly string[]) => {
    const { cdiDir } = node.containerd.paths;
    const where = ["--node", "n", "--directory", dataDir, "--cdi-directory", cdiDir];
    const flags = ["--kubeconfig", kubeconfig, "--calls", calls, ...where, ...more];
    const child = spawn(process.execPath, [program, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await spoken(child);
    return { child, [Symbol.asyncDispose]: () => end(child) };
  };
  const opened = stack.move();
  return {
    ...node,
    kubeconfig,
    calls,
    startDriver,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Resolves once a program has said something. */
async function spoken(child: ChildProcessByStdio<Writable | null, Readable, null>): Promise<void> {
  const ended = once(child, "exit").then(() => Promise.reject(new Error("the program ended")));
  ended.catch(() => {});
  await Promise.race([once(child.stdout, "data"), ended]);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** Resolves once the file is as wanted. */
async function untilFile(file: string, isWanted: (text: string) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const read = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const look = (): void => {
    if (isWanted(read())) resolve();
  };
  const watcher = watch(dirname(file), look);
  const late = setTimeout(() => reject(new Error(`"${file}" stays: ${read()}`)), 60_000);
  look();
  await promise.finally(() => watcher.close());
  clearTimeout(late);
}

async function untilSlices(client: Client, count: number): Promise<void> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Error(`never ${count} slices`)), 60_000);
  const names = new Set<string>();
  const options = { sendInitialEvents: true, resourceVersion: "", allowWatchBookmarks: true };
  for await (const event of await client.watch(resourceSlices, {
    ...options,
    signal: stop.signal,
  })) {
    if (event.type === "BOOKMARK") {
      if (names.size === count) break;
      continue;
    }
    if (event.type === "DELETED") names.delete(event.object.metadata.name ?? "");
    else names.add(event.object.metadata.name ?? "");
    if (names.size === count) break;
  }
  clearTimeout(late);
  stop.signal.throwIfAborted();
  stop.abort();
}

/** What the scheduler would write: the device, and that these pods may use it. */
async function allocate(client: Client, claim: string, users: readonly Pod[]): Promise<void> {
  const results = [{ request: "thing", driver: driverName, pool: "n", device: "thing-0" }];
  const reservedFor = users.map(({ metadata }) => ({
    resource: "pods",
    name: metadata.name,
    uid: metadata.uid,
  }));
  const value = { status: { allocation: { devices: { results } }, reservedFor } };
  await client.patch(
    resourceClaims,
    at(claim),
    { kind: "merge", value },
    { subresource: "status" },
  );
}

async function createClaim(client: Client, name: string): Promise<void> {
  const requests = [{ name: "thing", exactly: { deviceClassName: "things" } }];
  await client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: at(name),
    spec: { devices: { requests } },
  });
}

/** A pod on the node that may use a claim before the node hears of it. */
async function createUser(client: Client, name: string, claim: string): Promise<Pod> {
  const { spec, ...rest } = claimingPod(name, claim);
  const { nodeName: _given, ...unbound } = spec ?? { containers: [] };
  const schedulerName = "the-test";
  const pod = await client.create(pods, { ...rest, spec: { ...unbound, schedulerName } });
  await allocate(client, claim, [pod]);
  await client.post(pods, { ...at(name), subresource: "binding" }, {
    apiVersion: "v1",
    kind: "Binding",
    metadata: at(name),
    target: { kind: "Node", name: "n" },
  } as KubeObject);
  return pod;
}

/** Ends when it is told to. */
const untilTold = "trap exit TERM; sleep 1000 & wait";

function claimingPod(name: string, claim: string, script = ""): Pod {
  return podOnNode(name, {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        ...shellContainer("main", `${script}${untilTold}`),
        resources: { claims: [{ name: "mine" }] },
      },
      shellContainer("other", `ls /dev; ${untilTold}`),
    ],
    resourceClaims: [{ name: "mine", resourceClaimName: claim }],
  });
}

test(
  "containers get what their pod's claims were given, and it is taken back after the last pod",
  { skip },
  async () => {
    await using node = await openNode();
    const { client, calls, dataDir } = node;
    const agent = await node.startAgent();
    await createClaim(client, "c");
    const script = "echo $EXAMPLE_THING_0; head -c 4 /dev/thing-0 | wc -c; ";
    const user = await client.create(pods, claimingPod("user", "c", script));
    await eventually(
      client,
      /^Failed to prepare dynamic resources: prepare dynamic resources: pod user \(\S+\) is not allowed to use ResourceClaim c \(\S+\)$/,
    );
    const sharer = await client.create(pods, claimingPod("sharer", "c"));
    await allocate(client, "c", [user, sharer]);
    const broken = join(dataDir, "broken");
    writeFileSync(broken, "");
    await using _driver = await node.startDriver("--broken", broken);
    await untilSlices(client, 1);
    await until(client, "user", isReady);
    await until(client, "sharer", isReady);
    equal(await logsOf(agent, "user", "main", 2), "c\n4\n");
    equal((await logsOf(agent, "user", "other", 3)).includes("thing"), false);
    equal(readFileSync(calls, "utf8"), "prepare c\n");
    const healthOf = (pod: Pod | undefined) =>
      pod?.status?.containerStatuses?.find(({ name }) => name === "main")?.allocatedResourcesStatus;
    await until(client, "user", (pod) => healthOf(pod)?.[0]?.resources?.[0]?.health === "Healthy");
    writeFileSync(broken, "thing-0\n");
    const ill = await until(
      client,
      "user",
      (pod) => healthOf(pod)?.[0]?.resources?.[0]?.health === "Unhealthy",
    );
    const { uid } = (await client.get(resourceClaims, at("c"))).metadata;
    const cdiName = `${driverName}/claim=${uid}-thing-0`;
    deepEqual(healthOf(ill), [
      {
        name: "claim:mine",
        resources: [{ health: "Unhealthy", message: "it is broken", resourceID: cdiName }],
      },
    ]);
    using resources = openGrpcChannel(join(dataDir, "pod-resources", "kubelet.sock"), [
      podResourcesTable,
    ]);
    const { podResources } = await resources.call<{ podResources: object }>(
      "v1.PodResourcesLister/Get",
      { podName: "user", podNamespace: "default" },
    );
    const claimResources = [
      {
        cdiDevices: [{ name: cdiName }],
        driverName,
        poolName: "n",
        deviceName: "thing-0",
        shareId: "",
      },
    ];
    const none = { devices: [], cpuIds: [], memory: [] };
    deepEqual(structuredClone(podResources), {
      name: "user",
      namespace: "default",
      containers: [
        {
          name: "main",
          ...none,
          dynamicResources: [{ claimName: "c", claimNamespace: "default", claimResources }],
        },
        { name: "other", ...none, dynamicResources: [] },
      ],
    });
    await client.delete(pods, at("user"));
    await until(client, "user", (pod) => pod === undefined);
    equal(readFileSync(calls, "utf8"), "prepare c\n");
    await client.delete(pods, at("sharer"));
    await until(client, "sharer", (pod) => pod === undefined);
    equal(readFileSync(calls, "utf8"), "prepare c\nunprepare c\n");
    deepEqual(readdirSync(node.containerd.paths.cdiDir), []);
  },
);

test(
  "what the scheduler allocates is in the container, for claims and for extended resources",
  { skip },
  async () => {
    await using node = await openNode();
    const { client, calls } = node;
    const agent = await node.startAgent();
    await using _driver = await node.startDriver();
    const file = new URL("../../../examples/dra-driver/claim.yaml", import.meta.url);
    const [deviceClass, template, example] = parseAllDocuments(readFileSync(file, "utf8")).map(
      (document) => document.toJS() as KubeObject,
    ) as [DeviceClass, ResourceClaimTemplate, Pod];
    const extendedResourceName = "example.com/thing";
    const spec = { ...deviceClass.spec, extendedResourceName };
    await client.create(deviceClasses, { ...deviceClass, spec });
    const namespaced = <T extends KubeObject>({ metadata, ...rest }: T): T =>
      ({ ...rest, metadata: { ...metadata, namespace: "default" } }) as T;
    await client.create(resourceClaimTemplates, namespaced(template));
    const scheduled = (name: string, resources: Container["resources"]): Pod => {
      const { nodeName: _given, ...rest } = podOnNode(name).spec ?? { containers: [] };
      const script = `env | grep EXAMPLE_THING; head -c 4 /dev/thing-* | wc -c; ${untilTold}`;
      const containers = [{ ...shellContainer("main", script), ...(resources && { resources }) }];
      return { ...podOnNode(name), spec: { ...rest, containers } };
    };
    const claiming = scheduled("claiming", example.spec?.containers[0]?.resources);
    const { resourceClaims: asked = [] } = example.spec ?? {};
    await client.create(pods, {
      ...claiming,
      spec: { containers: [], ...claiming.spec, resourceClaims: asked },
    });
    const limits = { [extendedResourceName]: "1" };
    await client.create(pods, scheduled("extended", { limits }));
    for (const name of ["claiming", "extended"]) {
      await until(client, name, isReady);
      match(await logsOf(agent, name, "main", 2), /^EXAMPLE_THING_\d=\S+\n4\n$/);
    }
    for (const name of ["claiming", "extended"]) await client.delete(pods, at(name));
    const count = (text: string, word: string): number =>
      text.split("\n").filter((line) => line.startsWith(`${word} `)).length;
    // Without any time to end, a pod's object goes before its containers do.
    await untilFile(calls, (text) => count(text, "unprepare") === 2);
    equal(count(readFileSync(calls, "utf8"), "prepare"), 2);
  },
);

test("a driver that dies or hangs keeps only pods with its claims waiting", { skip }, async () => {
  await using node = await openNode();
  const { client, calls } = node;
  await node.startAgent({ deviceCallTimeoutMs: 1000 });
  await using first = await node.startDriver();
  await createClaim(client, "c");
  await createClaim(client, "d");
  await createUser(client, "runs", "c");
  await until(client, "runs", isReady);
  await end(first.child);
  await createUser(client, "waits", "d");
  await eventually(client, /NodePrepareResources: rpc error: code = Unavailable desc = /);
  await client.delete(pods, at("runs"));
  await eventually(
    client,
    /^Failed to unprepare dynamic resources: unprepare dynamic resources: NodeUnprepareResources: rpc error: code = Unavailable desc = /,
  );
  await client.create(pods, podOnNode("plain"));
  await until(client, "plain", isReady);
  {
    await using _hanging = await node.startDriver("--hang", "NodePrepareResources");
    // Its devices must not be given to others before they are taken back.
    await until(client, "runs", (pod) => pod === undefined);
    match(readFileSync(calls, "utf8"), /^(prepare c\n)+(unprepare c\n)+$/);
    await eventually(client, /NodePrepareResources: rpc error: code = DeadlineExceeded desc = /);
  }
  await using _well = await node.startDriver();
  await until(client, "waits", isReady);
  match(readFileSync(calls, "utf8"), /prepare d\n$/);
});

test("what a killed agent had prepared is taken back when its pod is gone", { skip }, async () => {
  await using node = await openNode();
  const { client, calls, dataDir, kubeconfig, cgroupRoot } = node;
  const words = [kubeconfig, node.containerd.socket, dataDir, cgroupRoot];
  const killed = spawn(process.execPath, [agentProgram, ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await using _killed = { [Symbol.asyncDispose]: () => end(killed) };
  await spoken(killed);
  killed.stdin.write("go\n");
  await using _driver = await node.startDriver();
  for (const name of ["gone", "stays"]) {
    await createClaim(client, name);
    await createUser(client, name, name);
  }
  const before = await until(client, "stays", isReady);
  await untilFile(calls, (text) => text.includes("prepare gone\n"));
  await end(killed);
  await client.delete(pods, at("gone"), { gracePeriodSeconds: 0 });
  await node.startAgent();
  await untilFile(calls, (text) => text.endsWith("unprepare gone\n"));
  const after = await client.get(pods, at("stays"));
  deepEqual(
    after.status?.containerStatuses?.map(({ containerID }) => containerID),
    before?.status?.containerStatuses?.map(({ containerID }) => containerID),
  );
  await client.delete(pods, at("stays"));
  await until(client, "stays", (pod) => pod === undefined);
  match(readFileSync(calls, "utf8"), /unprepare gone\nunprepare stays\n$/);
});
