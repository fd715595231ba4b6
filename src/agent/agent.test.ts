import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { createAgent } from "#agent/agent.ts";
import { simulatedMachine } from "#agent/node/machine-facts.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import type { Pod } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { events, leases, nodes, pods, serviceAccounts } from "#api/resources.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };

async function openNode() {
  const stack = new AsyncDisposableStack();
  const shared = { clock: systemClock, random: seededRandom(1), log: silentLog };
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
  });
  const runtime = stack.use(
    createSimulatedRuntime({
      ...shared,
      podCidr: "10.244.0.0/24",
      processes: simulatedProcesses,
    }),
  );
  const startAgent = () =>
    createAgent({
      ...shared,
      client,
      nodeName: "a",
      runtime,
      machine: simulatedMachine("a"),
      dns: {
        clusterServers: ["10.96.0.10"],
        clusterDomain: "cluster.local",
        node: { servers: [], searches: [], options: [] },
      },
      podCidr: "10.244.0.0/24",
      streamPort: 10250,
      addresses: ["192.168.0.1"],
    });
  const agent = stack.use(await startAgent());
  return { client, agent, runtime, startAgent, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function podOf(name: string, spec: Partial<Pod["spec"]> = {}, annotations = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", annotations },
    spec: { nodeName: "a", containers: [{ name: "web", image: "web:1" }], ...spec },
  };
}

/** Resolves with the pod once it is as wanted; with undefined once it is gone and `isWanted` takes that. */
async function until(
  client: Client,
  name: string,
  isWanted: (pod: Pod | undefined) => boolean,
): Promise<Pod | undefined> {
  const stop = new AbortController();
  const hold = setTimeout(() => {}, 20_000);
  const informer = createInformer(client, pods, {
    signal: stop.signal,
    clock: systemClock,
    log: silentLog,
  });
  try {
    await informer.synced;
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const pod = informer.get({ namespace: "default", name });
        if (isWanted(pod)) resolve(pod);
      };
      setTimeout(
        () =>
          reject(new Error(JSON.stringify(informer.get({ namespace: "default", name })?.status))),
        10_000,
      ).unref();
      informer.onChange(look);
      look();
    });
  } finally {
    stop.abort();
    clearTimeout(hold);
  }
}

const phase = (wanted: string) => (pod: Pod | undefined) => pod?.status?.phase === wanted;

test("createAgent() registers its node as ready and holds its lease", async () => {
  await using node = await openNode();
  const { status, metadata, spec } = await node.client.get(nodes, { name: "a" });
  equal(status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
  equal(metadata.labels?.["kubernetes.io/hostname"], "a");
  equal(spec?.podCIDR, "10.244.0.0/24");
  equal(status?.nodeInfo?.kubeletVersion, "v1.36.0");
  const lease = await node.client.get(leases, { namespace: "kube-node-lease", name: "a" });
  equal(lease.spec?.leaseDurationSeconds, 40);
});

test("createAgent() runs a pod, tells of it, and lets it go when it is deleted", async () => {
  await using node = await openNode();
  const { client } = node;
  await client.create(pods, podOf("p"));
  const pod = await until(
    client,
    "p",
    (found) => found?.status?.containerStatuses?.[0]?.ready === true,
  );
  equal(pod?.status?.phase, "Running");
  equal(pod?.status?.podIP, "10.244.0.2");
  deepEqual(
    pod?.status?.conditions?.map(({ type, status }) => [type, status]),
    [
      ["PodReadyToStartContainers", "True"],
      ["Initialized", "True"],
      ["Ready", "True"],
      ["ContainersReady", "True"],
      ["PodScheduled", "True"],
    ],
  );
  await client.delete(pods, { namespace: "default", name: "p" });
  await until(client, "p", (found) => found === undefined);
  const told = (await client.list(events, { namespace: "default" })).items;
  deepEqual(
    told.map(({ reason, message }) => `${reason}: ${message}`.replace(/ in .*/, "")).toSorted(),
    [
      "Created: Container created",
      "Killing: Stopping container web",
      'Pulled: Successfully pulled image "web:1"',
      'Pulling: Pulling image "web:1"',
      "Started: Container started",
    ],
  );
});

test("createAgent() runs init containers first and ends a pod that is not restarted", async () => {
  await using node = await openNode();
  const pod = podOf(
    "job",
    {
      restartPolicy: "Never",
      initContainers: [{ name: "prepare", image: "web:1" }],
    },
    {
      "simulated.kogge.dev/run-seconds": "0.05",
      "simulated.kogge.dev/run-seconds.prepare": "0.05",
      "simulated.kogge.dev/log": "done",
    },
  );
  await node.client.create(pods, pod);
  const ended = await until(node.client, "job", phase("Succeeded"));
  equal(ended?.status?.initContainerStatuses?.[0]?.state?.terminated?.reason, "Completed");
  equal(ended?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
  const name = { namespace: "default", pod: "job", container: "web" };
  const signal = new AbortController().signal;
  const options = { follow: false, previous: false, timestamps: false, signal };
  equal(await text(await node.agent.targets.logs(name, options)), "done\n");
});

test("createAgent() backs off from a container that crashes", async () => {
  await using node = await openNode();
  const annotations = {
    "simulated.kogge.dev/run-seconds": "0.02",
    "simulated.kogge.dev/exit-code": "3",
  };
  await node.client.create(pods, podOf("bad", {}, annotations));
  const waits = await until(node.client, "bad", (found) =>
    Boolean(found?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CrashLoopBackOff"),
  );
  const status = waits?.status?.containerStatuses?.[0];
  match(
    status?.state?.waiting?.message ?? "",
    /^back-off 10s restarting failed container=web pod=bad_default\(/,
  );
  equal(status?.lastState?.terminated?.exitCode, 3);
  equal(status?.restartCount, 1);
});

test("createAgent() shows why an image cannot be pulled", async () => {
  await using node = await openNode();
  const image = "missing.simulated.kogge.dev/web";
  await node.client.create(pods, podOf("no", { containers: [{ name: "web", image }] }));
  const reasonIs = (wanted: string) => (pod: Pod | undefined) =>
    pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === wanted;
  await until(node.client, "no", reasonIs("ErrImagePull"));
  const waits = await until(node.client, "no", reasonIs("ImagePullBackOff"));
  match(
    waits?.status?.containerStatuses?.[0]?.state?.waiting?.message ?? "",
    /^Back-off pulling image "missing.simulated.kogge.dev\/web": ErrImagePull: failed to resolve/,
  );
  const name = { namespace: "default", pod: "no", container: "web" };
  const signal = new AbortController().signal;
  await rejects(
    node.agent.targets.logs(name, { follow: false, previous: false, timestamps: false, signal }),
    {
      message: 'container "web" in pod "no" is waiting to start: trying and failing to pull image',
    },
  );
});

test("createAgent() restarts a container whose liveness probe fails", async () => {
  await using node = await openNode();
  const probe = { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 1 };
  const annotations = { "simulated.kogge.dev/unhealthy-after-seconds": "0" };
  const containers = [{ name: "web", image: "web:1", livenessProbe: probe }];
  await node.client.create(pods, podOf("sick", { containers }, annotations));
  const pod = await until(
    node.client,
    "sick",
    (found) => (found?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0,
  );
  equal(pod?.status?.phase, "Running");
});

test("what is left of a pod that was deleted by force while no agent ran ends at once", async () => {
  await using node = await openNode();
  const { client, runtime } = node;
  await client.create(pods, podOf("left", { terminationGracePeriodSeconds: 600 }));
  await until(client, "left", phase("Running"));
  await node.agent[Symbol.asyncDispose]();
  await client.delete(pods, { namespace: "default", name: "left" }, { gracePeriodSeconds: 0 });
  const { promise: stopped, resolve } = Promise.withResolvers<number>();
  const stop = runtime.stopContainer.bind(runtime);
  runtime.stopContainer = (id, graceSeconds, signal) => {
    resolve(graceSeconds);
    return stop(id, graceSeconds, signal);
  };
  await using agent = await node.startAgent();
  // As upstream: one second, which containers get two of at least.
  equal(await stopped, 2);
  const { body } = await agent.pages({ path: "/metrics", query: new URLSearchParams() });
  match(body as string, /^kubelet_orphaned_runtime_pods_total 1$/m);
});
