import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  makeInformer,
  Metrics,
  PatchStrategy,
  topNodes,
  type V1ConfigMap,
  type V1Status,
  Watch,
} from "@kubernetes/client-node";
import { createCluster } from "#main/testing.ts";

// The client that Kubernetes publishes for JavaScript, as a program of somebody else uses it.

async function open() {
  const cluster = await createCluster({ nodes: 1 });
  const config = new KubeConfig();
  config.loadFromString(cluster.kubeconfig);
  return {
    config,
    core: config.makeApiClient(CoreV1Api),
    apps: config.makeApiClient(AppsV1Api),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

const namespace = "default";
const map = (name: string, data: Record<string, string>): V1ConfigMap => ({
  metadata: { name, labels: { app: "a" } },
  data,
});

test("an informer shows what is there, follows it, and forgets what is deleted", async () => {
  await using opened = await open();
  const { config, core } = opened;
  await core.createNamespacedConfigMap({ namespace, body: map("before", { n: "0" }) });
  const informer = makeInformer(
    config,
    "/api/v1/namespaces/default/configmaps",
    () => core.listNamespacedConfigMap({ namespace, labelSelector: "app=a" }),
    "app=a",
  );
  const seen: string[] = [];
  const changed = new EventTarget();
  for (const kind of ["add", "update", "delete"] as const) {
    informer.on(kind, ({ metadata, data }) => {
      seen.push(`${kind} ${metadata?.name} ${data?.["n"]}`);
      changed.dispatchEvent(new Event("change"));
    });
  }
  const sees = async (line: string): Promise<void> => {
    while (!seen.includes(line)) await once(changed, "change");
  };
  await informer.start();
  await sees("add before 0");
  await core.createNamespacedConfigMap({ namespace, body: map("during", { n: "1" }) });
  await sees("add during 1");
  await core.replaceNamespacedConfigMap({
    name: "during",
    namespace,
    body: map("during", { n: "2" }),
  });
  await sees("update during 2");
  await core.deleteNamespacedConfigMap({ name: "before", namespace });
  await sees("delete before 0");
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "other" } } });
  await core.deleteNamespacedConfigMap({ name: "during", namespace });
  await sees("delete during 2");
  await informer.stop();
  deepEqual(seen, [
    "add before 0",
    "add during 1",
    "update during 2",
    "delete before 0",
    "delete during 2",
  ]);
});

test("a watch begins where it is told to and ends when its time is over", async () => {
  await using opened = await open();
  const { config, core } = opened;
  const { metadata } = await core.listNamespacedConfigMap({ namespace });
  for (const name of ["a", "b", "c"]) {
    await core.createNamespacedConfigMap({ namespace, body: map(name, {}) });
  }
  const names: string[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  await new Watch(config).watch(
    "/api/v1/namespaces/default/configmaps",
    { resourceVersion: metadata?.resourceVersion, timeoutSeconds: 1, labelSelector: "app=a" },
    (type, object: V1ConfigMap) => names.push(`${type} ${object.metadata?.name}`),
    resolve,
  );
  await promise;
  deepEqual(names, ["ADDED a", "ADDED b", "ADDED c"]);
});

test("objects of any kind: applied, read, patched, deleted; errors carry the Status", async () => {
  await using opened = await open();
  const { config, core } = opened;
  const objects = KubernetesObjectApi.makeApiClient(config);
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "boats.example.org" },
    spec: {
      group: "example.org",
      names: { plural: "boats", singular: "boat", kind: "Boat" },
      scope: "Namespaced",
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec: { type: "object", properties: { crew: { type: "integer" } } } },
            },
          },
        },
      ],
    },
  };
  await objects.create(crd);
  const boat = {
    apiVersion: "example.org/v1",
    kind: "Boat",
    metadata: { name: "argo", namespace },
    spec: { crew: 50 },
  };
  await objects.create(boat);
  const more = { ...boat, spec: { crew: 51 } };
  const none = undefined;
  await objects.patch(more, none, none, none, none, PatchStrategy.MergePatch);
  const read = await objects.read(boat);
  equal((read as typeof boat).spec.crew, 51);
  await objects.delete(boat);
  await rejects(objects.read(boat), (error: unknown) => {
    equal(error instanceof ApiException && error.code, 404);
    return true;
  });
  await rejects(
    core.createNamespacedPod({ namespace, body: { metadata: { name: "Bad" } } }),
    (error: unknown) => {
      const { body } = error as ApiException<string>;
      equal((JSON.parse(body) as V1Status).reason, "Invalid");
      return true;
    },
  );
});

test("programs in pods and their logs, over WebSockets; what nodes use", async () => {
  await using opened = await open();
  const { config, core } = opened;
  await core.createNamespacedPod({
    namespace,
    body: {
      metadata: { name: "shell" },
      spec: { containers: [{ name: "main", image: "busybox" }] },
    },
  });
  const isRunning = async (): Promise<boolean> => {
    const { status } = await core.readNamespacedPod({ name: "shell", namespace });
    return status?.phase === "Running";
  };
  while (!(await isRunning())) await new Promise((resolve) => setTimeout(resolve, 10));
  const output = new PassThrough();
  const { promise, resolve } = Promise.withResolvers<V1Status>();
  const words = ["echo", "hello"];
  await new Exec(config).exec(
    namespace,
    "shell",
    "main",
    words,
    output,
    null,
    null,
    false,
    resolve,
  );
  equal((await promise).status, "Success");
  output.end();
  equal(await text(output), "hello\n");
  const log = new PassThrough();
  await new Log(config).log(namespace, "shell", "main", log);
  equal(typeof (await text(log)), "string");
  const [node] = await topNodes(core);
  match(node?.Node.metadata?.name ?? "", /^node-/);
  const metrics = await new Metrics(config).getNodeMetrics();
  equal(metrics.items.length, 1);
});
