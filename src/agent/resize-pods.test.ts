import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodCondition, ResourceRequirements } from "#api/generated/types.ts";
import { events, nodes, pods } from "#api/resources.ts";
import { createCluster, type TestCluster } from "#main/testing.ts";

const at = (name: string) => ({ namespace: "default", name });
const cpu = (amount: number) => ({ requests: { cpu: `${amount}` } });

function podOf(name: string, resources: ResourceRequirements, more: object = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: at(name),
    spec: { nodeName: "node-1", containers: [{ name: "c", image: "i", resources }], ...more },
  };
}

/** The pod once it is as wanted; the test's own time limit ends hopeless waits. */
async function until(
  { client }: TestCluster,
  name: string,
  isWanted: (pod: Pod) => boolean,
): Promise<Pod> {
  const stop = new AbortController();
  const watched = await client.watch(pods, {
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
    signal: stop.signal,
    sendInitialEvents: true,
  });
  for await (const event of watched) {
    if (event.type === "BOOKMARK" || !isWanted(event.object)) continue;
    stop.abort();
    return event.object;
  }
  throw new Error(`the watch of ${name} has ended`);
}

const resize = ({ client }: TestCluster, name: string, spec: object) =>
  client.patch(pods, at(name), { kind: "strategic", value: { spec } }, { subresource: "resize" });
const resizeTo = (cluster: TestCluster, name: string, amount: number) =>
  resize(cluster, name, { containers: [{ name: "c", resources: cpu(amount) }] });

const isRunning = (pod: Pod): boolean => pod.status?.phase === "Running";
const conditionsOf = (pod: Pod): readonly PodCondition[] =>
  (pod.status?.conditions ?? []).filter(({ type }) => type.startsWith("PodResize"));
const hasCpu = (amount: number) => (pod: Pod) =>
  conditionsOf(pod).length === 0 &&
  pod.status?.containerStatuses?.[0]?.resources?.requests?.["cpu"] === `${amount}`;
const waits = (pod: Pod): boolean => conditionsOf(pod)[0]?.reason === "Deferred";

test("a pod as a whole is resized, and its status tells so", { timeout: 60_000 }, async () => {
  await using cluster = await createCluster();
  const whole = { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "2Gi" } };
  await cluster.client.create(pods, podOf("whole", {}, { resources: whole }));
  const before = await until(cluster, "whole", isRunning);
  deepEqual(before.status?.allocatedResources, whole.requests);
  await resize(cluster, "whole", {
    resources: { requests: { cpu: "2" }, limits: { cpu: "3", memory: "1Gi" } },
  });
  const { status } = await until(
    cluster,
    "whole",
    (pod) => pod.status?.resources?.requests?.["cpu"] === "2" && conditionsOf(pod).length === 0,
  );
  deepEqual(
    [status?.allocatedResources, status?.resources, status?.observedGeneration],
    [
      { cpu: "2", memory: "1Gi" },
      { limits: { cpu: "3", memory: "1Gi" }, requests: { cpu: "2", memory: "1Gi" } },
      2,
    ],
  );
});

test(
  "who waits for room gets it by priority as soon as there is some",
  { timeout: 60_000 },
  async () => {
    await using cluster = await createCluster();
    const { client } = cluster;
    const node = await client.get(nodes, { name: "node-1" });
    const all = Number(node.status?.allocatable?.["cpu"]);
    const urgent = { priorityClassName: "system-cluster-critical" };
    for (const pod of [
      podOf("large", cpu(all - 3)),
      podOf("first", cpu(1)),
      podOf("urgent", cpu(1), urgent),
    ]) {
      await client.create(pods, pod);
      await until(cluster, pod.metadata.name ?? "", isRunning);
    }
    await resizeTo(cluster, "first", 3);
    const deferred = await until(cluster, "first", waits);
    const [{ lastTransitionTime: _, lastProbeTime: __, ...condition }] = conditionsOf(deferred) as [
      PodCondition,
    ];
    deepEqual(condition, {
      type: "PodResizePending",
      status: "True",
      reason: "Deferred",
      message: `Node didn't have enough resource: cpu, requested: 3000, used: ${(all - 2) * 1000}, capacity: ${all * 1000}`,
      observedGeneration: 2,
    });
    await resizeTo(cluster, "urgent", 3);
    await until(cluster, "urgent", waits);
    await resizeTo(cluster, "large", all - 4);
    await until(cluster, "urgent", hasCpu(3));
    ok(waits(await client.get(pods, at("first"))));
    await client.delete(pods, at("large"), { gracePeriodSeconds: 0 });
    await until(cluster, "first", hasCpu(3));
    const stop = new AbortController();
    const told: string[] = [];
    const watched = await client.watch(events, {
      namespace: "default",
      fieldSelector: "involvedObject.name=first",
      signal: stop.signal,
      sendInitialEvents: true,
    });
    for await (const event of watched) {
      if (event.type === "BOOKMARK" || !event.object.reason?.startsWith("Resize")) continue;
      told.push(`${event.object.type} ${event.object.reason}: ${event.object.message}`);
      if (told.length === 3) break;
    }
    stop.abort();
    const summary = (more = "") =>
      `{"containers":[{"name":"c","resources":{"requests":{"cpu":"3"}}}],"generation":2${more}}`;
    const why = `,"error":${JSON.stringify(condition.message)}`;
    deepEqual(told.toSorted(), [
      `Normal ResizeCompleted: Pod resize completed: ${summary()}`,
      `Normal ResizeStarted: Pod resize started: ${summary()}`,
      `Warning ResizeDeferred: Pod resize Deferred: ${summary(why)}`,
    ]);
  },
);

test("a pod gets a node as soon as another shrinks", { timeout: 60_000 }, async () => {
  await using cluster = await createCluster();
  const { client } = cluster;
  const node = await client.get(nodes, { name: "node-1" });
  const all = Number(node.status?.allocatable?.["cpu"]);
  await client.create(pods, podOf("large", cpu(all)));
  await until(cluster, "large", isRunning);
  const { spec, ...waiting } = podOf("waiting", cpu(1));
  await client.create(pods, { ...waiting, spec: { containers: spec?.containers ?? [] } });
  await until(cluster, "waiting", ({ status }) =>
    (status?.conditions ?? []).some(({ reason }) => reason === "Unschedulable"),
  );
  await resizeTo(cluster, "large", all - 1);
  await until(cluster, "waiting", isRunning);
});
