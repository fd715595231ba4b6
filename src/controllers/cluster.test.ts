import { deepEqual, equal, match, ok } from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, Pod, Service } from "#api/generated/types.ts";
import { nameOf, type KubeObject } from "#api/meta.ts";
import {
  configMaps,
  daemonSets,
  deployments,
  endpoints,
  endpointSlices,
  events,
  jobs,
  namespaces,
  pods,
  replicaSets,
  serviceAccounts,
  services,
  statefulSets,
} from "#api/resources.ts";
import { addNode, readyNode, startCluster } from "#controllers/started-cluster.test.ts";

const web = (replicas: number, image = "v1"): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [{ name: "c", image, ports: [{ name: "http", containerPort: 8080 }] }],
      },
    },
  },
});

const webService: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default", labels: { team: "a" } },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
};

test("a Deployment becomes pods on nodes, a rollout replaces them and a service finds them", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  await client.create(deployments, web(3));
  await client.create(services, webService);
  const deployment = () => informers.of(deployments).get({ name: "web", namespace: "default" });
  const isComplete = (): boolean => {
    const { status, metadata } = deployment() ?? {};
    return (
      status?.observedGeneration === metadata?.generation &&
      status?.availableReplicas === 3 &&
      status?.updatedReplicas === 3 &&
      status?.replicas === 3
    );
  };
  await until(isComplete);
  const slices = () => [...informers.of(endpointSlices).list("default")];
  const addresses = () =>
    slices()
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
      .flatMap((slice) => slice.endpoints ?? [])
      .flatMap((endpoint) => endpoint.addresses)
      .toSorted();
  const podAddresses = () =>
    [...informers.of(pods).list("default")]
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .map(({ status }) => status?.podIP ?? "")
      .toSorted();
  await until(() => addresses().length === 3);
  deepEqual(addresses(), podAddresses());
  const subsets = () => informers.of(endpoints).get({ name: "web", namespace: "default" })?.subsets;
  await until(() => subsets()?.[0]?.addresses?.length === 3);
  deepEqual(subsets()?.[0]?.ports, [{ port: 8080, protocol: "TCP" }]);

  await client.patch(
    deployments,
    { name: "web", namespace: "default" },
    {
      kind: "json",
      operations: [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "v2" }],
    },
  );
  await until(
    () => deployment()?.metadata.annotations?.["deployment.kubernetes.io/revision"] === "2",
  );
  await until(isComplete);
  const sets = [...informers.of(replicaSets).list("default")];
  deepEqual(sets.map(({ spec }) => String(spec?.replicas)).toSorted(), ["0", "3"]);
  await until(() => podAddresses().length === 3);
  await until(() => addresses().join() === podAddresses().join());
  const told = (await client.list(events, { namespace: "default" })).items;
  const reasons = new Set(told.map(({ reason }) => reason));
  for (const reason of ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "SuccessfulDelete"]) {
    ok(reasons.has(reason), `an event ${reason}`);
  }
});

test("a namespace gets its account and CA, and goes with all that is in it", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  await client.create(namespaces, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "team" },
  });
  const hasBoth = async (): Promise<boolean> => {
    const accounts = await client.list(serviceAccounts, { namespace: "team" });
    const maps = await client.list(configMaps, { namespace: "team" });
    return accounts.items.length === 1 && maps.items.length === 1;
  };
  while (!(await hasBoth())) await new Promise((resolve) => setTimeout(resolve, 5));
  const deployment = web(2);
  await client.create(deployments, {
    ...deployment,
    metadata: { ...deployment.metadata, namespace: "team" },
  });
  await until(() => [...informers.of(pods).list("team")].length === 2);
  await client.delete(namespaces, { name: "team" });
  await until(() => informers.of(namespaces).get({ name: "team" }) === undefined);
  equal((await client.list(pods, { namespace: "team" })).items.length, 0);
  equal((await client.list(deployments, { namespace: "team" })).items.length, 0);
});

test("a pod that fits nowhere says why and is placed when a node comes", async () => {
  await using cluster = await startCluster(1);
  const { client, informers, until } = cluster;
  const big: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "big", namespace: "default" },
    spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "6" } } }] },
  };
  const account = () => client.get(serviceAccounts, { namespace: "default", name: "default" });
  while (!(await account().catch(() => undefined))) await new Promise((go) => setTimeout(go, 5));
  await client.create(pods, big);
  const known = () => informers.of(pods).get({ name: "big", namespace: "default" });
  const scheduled = () => known()?.status?.conditions?.find(({ type }) => type === "PodScheduled");
  // New nodes have a taint until their conditions are known.
  await until(() => scheduled()?.message?.includes("Insufficient") ?? false);
  equal(
    scheduled()?.message,
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: " +
      "1 Preemption is not helpful for scheduling.",
  );
  equal(scheduled()?.reason, "Unschedulable");
  const large = readyNode("large");
  const allocatable = { cpu: "8", memory: "8Gi", pods: "110" };
  await addNode(client, { ...large, status: { ...large.status, allocatable } });
  await until(() => known()?.spec?.nodeName === "large");
  match(scheduled()?.status ?? "", /True/);
});

test("a deletion takes the dependents along, waits for them, or leaves them", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  const at = { name: "web", namespace: "default" };
  const count = (): number[] => [
    [...informers.of(deployments).list("default")].length,
    [...informers.of(replicaSets).list("default")].length,
    [...informers.of(pods).list("default")].length,
  ];
  const start = async (): Promise<void> => {
    await client.create(deployments, web(2));
    await until(() => count().join() === "1,1,2");
  };
  await start();
  await client.delete(deployments, at, { propagationPolicy: "Background" });
  await until(() => count().join() === "0,0,0");
  await start();
  const order: string[] = [];
  for (const resource of [deployments, replicaSets, pods]) {
    informers.of<KubeObject>(resource).onChange(({ kind, object }) => {
      if (kind === "deleted") order.push(object.kind);
    });
  }
  await client.delete(deployments, at, { propagationPolicy: "Foreground" });
  await until(() => count().join() === "0,0,0");
  deepEqual(order, ["Pod", "Pod", "ReplicaSet", "Deployment"]);
  await start();
  await client.delete(deployments, at, { propagationPolicy: "Orphan" });
  await until(() => count().join() === "0,1,2");
  const [orphan] = informers.of(replicaSets).list("default");
  equal(orphan?.metadata.ownerReferences, undefined);
  await client.create(deployments, web(2));
  await until(() => {
    const [set] = informers.of(replicaSets).list("default");
    return set?.metadata.ownerReferences?.[0]?.kind === "Deployment";
  });
  deepEqual(count(), [1, 1, 2]);
});

test("a Job runs its pods to completion, and its pods go with it", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  const at = { name: "work", namespace: "default" };
  await client.create(jobs, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: at,
    spec: {
      completions: 3,
      parallelism: 2,
      completionMode: "Indexed",
      template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } },
    },
  });
  const status = () => informers.of(jobs).get(at)?.status;
  await until(() => status()?.conditions?.some(({ type }) => type === "Complete") ?? false);
  const { succeeded, completedIndexes, uncountedTerminatedPods } = status() ?? {};
  deepEqual([succeeded, completedIndexes, uncountedTerminatedPods], [3, "0-2", {}]);
  await client.delete(jobs, at, { propagationPolicy: "Background" });
  await until(() => [...informers.of(pods).list("default")].length === 0);
});

test("a StatefulSet starts its pods in order and updates them from the last", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  const at = { name: "db", namespace: "default" };
  const made: string[] = [];
  informers.of(pods).onChange(({ kind, object }) => {
    if (kind !== "modified") made.push(`${kind} ${nameOf(object)}`);
  });
  await client.create(statefulSets, {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: at,
    spec: {
      replicas: 2,
      serviceName: "db",
      selector: { matchLabels: { app: "db" } },
      template: {
        metadata: { labels: { app: "db" } },
        spec: { containers: [{ name: "c", image: "v1" }] },
      },
    },
  });
  const status = () => informers.of(statefulSets).get(at)?.status;
  await until(() => status()?.availableReplicas === 2);
  const operations = [
    { op: "replace", path: "/spec/template/spec/containers/0/image", value: "v2" },
  ];
  const before = status()?.currentRevision;
  await client.patch(statefulSets, at, { kind: "json", operations });
  await until(() => status()?.updatedReplicas === 2 && status()?.currentRevision !== before);
  deepEqual(made, [
    "added db-0",
    "added db-1",
    "deleted db-1",
    "added db-1",
    "deleted db-0",
    "added db-0",
  ]);
});

test("a DaemonSet has a pod on every node that fits, new ones too, and replaces them on update", async () => {
  await using cluster = await startCluster(2);
  const { client, informers, until } = cluster;
  const at = { name: "agent", namespace: "default" };
  await client.create(daemonSets, {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: at,
    spec: {
      selector: { matchLabels: { app: "agent" } },
      template: {
        metadata: { labels: { app: "agent" } },
        spec: { containers: [{ name: "c", image: "v1" }] },
      },
    },
  });
  const status = () => informers.of(daemonSets).get(at)?.status;
  await until(() => status()?.numberAvailable === 2);
  await addNode(client, readyNode("node-2"));
  await until(() => status()?.numberAvailable === 3);
  const places = [...informers.of(pods).list("default")].map(({ spec }) => spec?.nodeName ?? "");
  deepEqual(places.toSorted(), ["node-0", "node-1", "node-2"]);
  const operations = [
    { op: "replace", path: "/spec/template/spec/containers/0/image", value: "v2" },
  ];
  await client.patch(daemonSets, at, { kind: "json", operations });
  await until(() => {
    const { observedGeneration, updatedNumberScheduled, numberAvailable } = status() ?? {};
    return observedGeneration === 2 && updatedNumberScheduled === 3 && numberAvailable === 3;
  });
  const images = [...informers.of(pods).list("default")].map(
    ({ spec }) => spec?.containers[0]?.image,
  );
  deepEqual(images, ["v2", "v2", "v2"]);
});
