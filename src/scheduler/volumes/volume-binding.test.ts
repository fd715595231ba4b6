import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { PersistentVolume, Pod, StorageClass } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  statefulSets,
  storageClasses,
} from "#api/resources.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

type Cluster = Awaited<ReturnType<typeof startCluster>>;

const pod = (name: string, claim: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "c", image: "v1" }],
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
  },
});

const claimSpec = (storageClassName: string, mode = "ReadWriteOnce") => ({
  storageClassName,
  accessModes: [mode],
  resources: { requests: { storage: "1Gi" } },
});

const localVolume = (name: string, node: string, storage: string): PersistentVolume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: {
    capacity: { storage },
    accessModes: ["ReadWriteOnce"],
    storageClassName: "fixed",
    persistentVolumeReclaimPolicy: "Retain",
    local: { path: "/data" },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
        ],
      },
    },
  },
});

const fixedClass: StorageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "fixed" },
  provisioner: "kubernetes.io/no-provisioner",
  volumeBindingMode: "WaitForFirstConsumer",
};

async function claim({ client }: Cluster, name: string, spec: ReturnType<typeof claimSpec>) {
  await client.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "default" },
    spec,
  });
}

const podOf = ({ informers }: Cluster, name: string) =>
  informers.of(pods).get({ namespace: "default", name });
const verdict = (cluster: Cluster, name: string) =>
  podOf(cluster, name)?.status?.conditions?.find(({ type }) => type === "PodScheduled")?.message;

test("a pod goes where its claim's smallest fitting volume is, and later pods follow the volume", async () => {
  await using cluster = await startCluster(3);
  const { client, informers, until } = cluster;
  await client.create(storageClasses, fixedClass);
  await client.create(persistentVolumes, localVolume("large", "node-0", "9Gi"));
  await client.create(persistentVolumes, localVolume("small", "node-2", "2Gi"));
  await until(() =>
    [...informers.of(persistentVolumes).list()].every(
      ({ status }) => status?.phase === "Available",
    ),
  );
  await claim(cluster, "one", claimSpec("fixed"));
  await claim(cluster, "two", claimSpec("fixed"));
  await claim(cluster, "three", claimSpec("fixed"));
  await client.create(pods, pod("a", "one"));
  await client.create(pods, pod("b", "two"));
  await until(() => ["a", "b"].every((name) => podOf(cluster, name)?.spec?.nodeName));
  await client.create(pods, pod("again", "one"));
  await client.create(pods, pod("late", "three"));
  await until(() => Boolean(podOf(cluster, "again")?.spec?.nodeName && verdict(cluster, "late")));
  const volumes = [...informers.of(persistentVolumes).list()];
  const nodeOfClaim = Object.fromEntries(
    volumes.map(({ metadata, spec }) => [
      spec?.claimRef?.name,
      metadata.name === "small" ? "node-2" : "node-0",
    ]),
  );
  deepEqual(
    ["a", "b", "again"].map((name) => podOf(cluster, name)?.spec?.nodeName),
    [nodeOfClaim["one"], nodeOfClaim["two"], nodeOfClaim["one"]],
  );
  deepEqual(
    verdict(cluster, "late"),
    "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. " +
      "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
  );
  await client.create(persistentVolumes, localVolume("new", "node-1", "2Gi"));
  await until(() => podOf(cluster, "late")?.spec?.nodeName === "node-1");
});

test("a pod whose claims cannot be had says why, and comes when they can", async () => {
  await using cluster = await startCluster(1);
  const { client, until } = cluster;
  await client.create(storageClasses, {
    ...fixedClass,
    metadata: { name: "now" },
    volumeBindingMode: "Immediate",
  });
  await client.create(pods, pod("early", "none"));
  await claim(cluster, "unbound", claimSpec("now"));
  await client.create(pods, pod("waits", "unbound"));
  await until(() => Boolean(verdict(cluster, "early") && verdict(cluster, "waits")));
  const tail = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
  deepEqual(
    [verdict(cluster, "early"), verdict(cluster, "waits")],
    [
      `0/1 nodes are available: persistentvolumeclaim "none" not found.${tail}`,
      `0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.${tail}`,
    ],
  );
  await claim(cluster, "none", claimSpec("local-path"));
  await until(() => podOf(cluster, "early")?.spec?.nodeName === "node-0");
});

test("a claim of ReadWriteOncePod takes one pod at a time", async () => {
  await using cluster = await startCluster(2);
  const { client, until } = cluster;
  await claim(cluster, "own", claimSpec("local-path", "ReadWriteOncePod"));
  await client.create(pods, pod("first", "own"));
  await until(() => podOf(cluster, "first")?.status?.phase === "Running");
  await client.create(pods, pod("second", "own"));
  await until(() => Boolean(verdict(cluster, "second")));
  deepEqual(
    verdict(cluster, "second")?.split(" preemption")[0],
    "0/2 nodes are available: " +
      "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.",
  );
  await client.delete(pods, { namespace: "default", name: "first" });
  await until(() => Boolean(podOf(cluster, "second")?.spec?.nodeName));
});

test("pods of a StatefulSet get volumes of their own on their nodes and come back to them", async () => {
  await using cluster = await startCluster(3);
  const { client, informers, until } = cluster;
  await client.create(statefulSets, {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "db", namespace: "default" },
    spec: {
      replicas: 3,
      serviceName: "db",
      podManagementPolicy: "Parallel",
      selector: { matchLabels: { app: "db" } },
      template: {
        metadata: { labels: { app: "db" } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: "v1" }] },
      },
      volumeClaimTemplates: [
        {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "data" },
          spec: claimSpec("local-path"),
        },
      ],
    },
  });
  const running = () =>
    [...informers.of(pods).list("default")].filter(({ status }) => status?.phase === "Running");
  await until(() => running().length === 3);
  const places = () =>
    Object.fromEntries(running().map((each) => [nameOf(each), each.spec?.nodeName]));
  const before = places();
  const gone = podOf(cluster, "db-1")?.metadata.uid;
  await client.delete(pods, { namespace: "default", name: "db-1" });
  await until(() => running().length === 3 && podOf(cluster, "db-1")?.metadata.uid !== gone);
  deepEqual(places(), before);
});
