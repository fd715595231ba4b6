import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Node, PersistentVolume, Pod } from "#api/generated/types.ts";
import {
  csiNodes,
  persistentVolumeClaims,
  persistentVolumes,
  storageClasses,
  volumeAttachments,
} from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformers } from "#client/informers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import type { Plugin } from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { createNodeVolumeLimits } from "#scheduler/plugins/node-volume-limits.ts";
import { createVolumeZone } from "#scheduler/plugins/volume-zone.ts";
import { createStorage, type Storage } from "#scheduler/volumes/storage.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const namespace = "default";
const driver = "disk.example.com";

/** What the plugins read, out of a real API server once `fill` has written it. */
async function storageOf(
  stack: AsyncDisposableStack,
  fill: (client: Client) => Promise<void>,
): Promise<Storage> {
  const server = stack.use(await createTestServer());
  const client = createClient(createInProcessTransport(server.server, admin));
  await fill(client);
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const parts = { clock: systemClock, log: silentLog, signal: stop.signal };
  const storage = createStorage(createInformers({ ...parts, client }));
  await storage.synced;
  return storage;
}

const volume = (name: string, labels: Readonly<Record<string, string>> = {}): PersistentVolume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, labels },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    csi: { driver, volumeHandle: name },
  },
});

/** A claim of the same name as its volume; without one it is of the class `made`. */
async function claim(client: Client, name: string, isBound = true): Promise<void> {
  await client.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Gi" } },
      storageClassName: isBound ? "" : "made",
      ...(isBound && { volumeName: name }),
    },
  });
}

const pod = (name: string, ...claims: readonly string[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, uid: name },
  spec: {
    containers: [],
    volumes: claims.map((claimName) => ({
      name: claimName,
      persistentVolumeClaim: { claimName },
    })),
  },
});

const node = (name: string, labels: Readonly<Record<string, string>> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels },
});

function verdict(plugin: Plugin, wanted: Pod, cluster: ClusterState): readonly string[] | string {
  const pending = { pod: wanted, placed: placedPod(wanted) };
  const state = new Map<string, unknown>();
  if (plugin.preFilter?.(pending, state) === "skip") return "skip";
  return cluster.nodes.map(
    (each) => plugin.filter?.(pending, each, state)?.reasons.join(", ") ?? "fits",
  );
}

const zone = "topology.kubernetes.io/zone";
const oldZone = "failure-domain.beta.kubernetes.io/zone";
const region = "topology.kubernetes.io/region";
const elsewhere = "node(s) had no available volume zone";

test("VolumeZone keeps a pod where the labels of its volumes say", async () => {
  await using stack = new AsyncDisposableStack();
  const volumes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    anywhere: {},
    "in-a": { [zone]: "a" },
    "in-old-a": { [oldZone]: "a" },
    "in-a-or-b": { [zone]: "a__b" },
    "in-north": { [zone]: "a", [region]: "north" },
  };
  const storage = await storageOf(stack, async (client) => {
    for (const [name, labels] of Object.entries(volumes)) {
      await client.create(persistentVolumes, volume(name, labels));
      await claim(client, name);
    }
  });
  const cluster = new ClusterState();
  cluster.putNode(node("bare"));
  cluster.putNode(node("a", { [zone]: "a", [region]: "south" }));
  cluster.putNode(node("b", { [zone]: "b", [region]: "south" }));
  const plugin = createVolumeZone(storage);
  const verdicts = (...claims: string[]) => verdict(plugin, pod("p", ...claims), cluster);
  equal(verdicts("anywhere"), "skip");
  deepEqual(verdicts("in-a"), ["fits", "fits", elsewhere]);
  deepEqual(verdicts("in-old-a"), ["fits", "fits", elsewhere]);
  deepEqual(verdicts("in-a-or-b"), ["fits", "fits", "fits"]);
  deepEqual(verdicts("in-north"), ["fits", elsewhere, elsewhere]);
  deepEqual(verdicts("in-a-or-b", "in-a"), ["fits", "fits", elsewhere]);
});

const full = "node(s) exceed max volume count";

test("NodeVolumeLimits counts the volumes that a driver has attached to a node", async () => {
  await using stack = new AsyncDisposableStack();
  const storage = await storageOf(stack, async (client) => {
    for (const name of ["one", "two", "three"]) {
      await client.create(persistentVolumes, volume(name));
      await claim(client, name);
    }
    await client.create(storageClasses, {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "made" },
      provisioner: driver,
    });
    await claim(client, "unbound", false);
    for (const [name, count] of [
      ["small", 1],
      ["used", 2],
      ["attached", 2],
    ] as const) {
      const drivers = [{ name: driver, nodeID: name, allocatable: { count } }];
      const metadata = { name };
      const csiNode = { apiVersion: "storage.k8s.io/v1", kind: "CSINode", metadata };
      await client.create(csiNodes, { ...csiNode, spec: { drivers } });
    }
    for (const name of ["one", "two"]) {
      await client.create(volumeAttachments, {
        apiVersion: "storage.k8s.io/v1",
        kind: "VolumeAttachment",
        metadata: { name },
        spec: {
          attacher: driver,
          nodeName: "attached",
          source: { persistentVolumeName: name },
        },
      });
    }
  });
  const cluster = new ClusterState();
  for (const name of ["small", "used", "attached", "unlimited"]) cluster.putNode(node(name));
  const there = pod("there", "one");
  cluster.putPod({ ...there, spec: { containers: [], ...there.spec, nodeName: "used" } });
  const plugin = createNodeVolumeLimits(storage);
  const verdicts = (...claims: string[]) => verdict(plugin, pod("p", ...claims), cluster);
  equal(verdicts(), "skip");
  deepEqual(verdicts("three"), ["fits", "fits", full, "fits"]);
  // What is there already takes no further place.
  deepEqual(verdicts("one"), ["fits", "fits", "fits", "fits"]);
  deepEqual(verdicts("one", "two"), [full, "fits", "fits", "fits"]);
  deepEqual(verdicts("two", "three"), [full, full, full, "fits"]);
  // A claim without a volume will get one of its class' driver.
  deepEqual(verdicts("three", "unbound"), [full, full, full, "fits"]);
});
