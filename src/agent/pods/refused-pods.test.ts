import { deepEqual, equal, notEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodSpec, StatefulSet } from "#api/generated/types.ts";
import { nodes, pods, statefulSets } from "#api/resources.ts";
import { createInformer } from "#client/create-informer.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createCluster, type TestCluster } from "#main/testing.ts";

const patienceMs = 60_000;

/** What becomes of the pods of a cluster, each state that is told of. */
function followPods({ client }: TestCluster, signal: AbortSignal) {
  const told: Pod[] = [];
  let look: () => void = () => {};
  const parts = { signal, clock: systemClock, log: silentLog };
  createInformer<Pod>(client, pods, parts).onChange(({ kind, object }) => {
    if (kind !== "deleted") told.push(object);
    look();
  });
  return async (wanted: (pod: Pod) => boolean): Promise<Pod> => {
    const { promise, resolve, reject } = Promise.withResolvers<Pod>();
    const cancel = systemClock.after(patienceMs, () => {
      const states = told.map(({ metadata, status }) => [metadata.name, status?.phase]);
      reject(new Error(`Cannot wait longer: ${JSON.stringify(states.slice(-20))}`));
    });
    look = () => {
      const found = told.find(wanted);
      if (found) resolve(found);
    };
    look();
    return promise.finally(cancel);
  };
}

const named = (name: string, spec: Partial<PodSpec>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }], terminationGracePeriodSeconds: 0, ...spec },
});

const stateOf = ({ status }: Pod) => [status?.phase, status?.reason, status?.message];
const isRunning = ({ status }: Pod): boolean => status?.phase === "Running";
const isFailed = ({ status }: Pod): boolean => status?.phase === "Failed";

test("a pod that a node refuses for its port is made anew until the port is free", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  using ending = endingSignal();
  const until = followPods(cluster, ending.signal);
  const { client, nodes: names } = cluster;
  const nodeName = names[0] ?? "";
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  const spec = { nodeName, containers: [{ name: "c", image: "i", ports }] };
  const at = { namespace: "default", name: "first" };
  await client.create(pods, named("first", spec));
  await until((pod) => pod.metadata.name === "first" && isRunning(pod));
  const labels = { app: "web" };
  const set: StatefulSet = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "web", namespace: "default" },
    spec: {
      serviceName: "web",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
    },
  };
  await client.create(statefulSets, set);
  const refused = await until((pod) => pod.metadata.name === "web-0" && isFailed(pod));
  deepEqual(stateOf(refused), [
    "Failed",
    "NodePorts",
    "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  ]);
  const again = await until(
    (pod) =>
      pod.metadata.name === "web-0" && isFailed(pod) && pod.metadata.uid !== refused.metadata.uid,
  );
  await client.delete(pods, at);
  const runs = await until((pod) => pod.metadata.name === "web-0" && isRunning(pod));
  notEqual(runs.metadata.uid, again.metadata.uid);
});

test("a pod that was put on a node is judged by the node's labels as they are now", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  using ending = endingSignal();
  const until = followPods(cluster, ending.signal);
  const { client, nodes: names } = cluster;
  const nodeName = names[0] ?? "";
  const nodeSelector = { disk: "fast" };
  await client.create(pods, named("early", { nodeName, nodeSelector }));
  const early = await until((pod) => pod.metadata.name === "early" && isFailed(pod));
  equal(early.status?.reason, "NodeAffinity");
  const value = { metadata: { labels: nodeSelector } };
  await client.patch(nodes, { name: nodeName }, { kind: "merge", value });
  await client.create(pods, named("late", { nodeName, nodeSelector }));
  await until((pod) => pod.metadata.name === "late" && isRunning(pod));
});

test("a critical pod for which a node has no room ends another", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  using ending = endingSignal();
  const until = followPods(cluster, ending.signal);
  const { client, nodes: names } = cluster;
  const nodeName = names[0] ?? "";
  const { status } = await client.get(nodes, { name: nodeName });
  const requests = { cpu: status?.allocatable?.["cpu"] ?? "" };
  const all = { nodeName, containers: [{ name: "c", image: "i", resources: { requests } }] };
  await client.create(pods, named("usual", all));
  await until((pod) => pod.metadata.name === "usual" && isRunning(pod));
  await client.create(pods, named("more", all));
  const more = await until((pod) => pod.metadata.name === "more" && isFailed(pod));
  equal(more.status?.reason, "OutOfcpu");
  const critical = named("critical", { ...all, priorityClassName: "system-node-critical" });
  await client.create(pods, {
    ...critical,
    metadata: { ...critical.metadata, namespace: "kube-system" },
  });
  const ended = await until((pod) => pod.metadata.name === "usual" && isFailed(pod));
  deepEqual(stateOf(ended), ["Failed", "Preempting", "Preempted in order to admit critical pod"]);
  const condition = ended.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  deepEqual(
    [condition?.status, condition?.reason, condition?.message],
    ["True", "TerminationByKubelet", "Pod was preempted by Kubelet to accommodate a critical pod."],
  );
  await until((pod) => pod.metadata.name === "critical" && isRunning(pod));
});

function endingSignal(): Disposable & { readonly signal: AbortSignal } {
  const ending = new AbortController();
  return {
    signal: ending.signal,
    [Symbol.dispose]: () => ending.abort(new Error("the test ends")),
  };
}
