import assert from "node:assert/strict";
import { test } from "node:test";
import {
  configMaps,
  namespaces,
  pods,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceQuotas,
  secrets,
  services,
} from "#api/resources.ts";
import { createCluster, type Client } from "#main/testing.ts";

const namespace = "default";

async function until(
  client: Client,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  used: Record<string, string>,
): Promise<void> {
  const options = { namespace, fieldSelector: `metadata.name=${name}` };
  const signal = AbortSignal.timeout(60_000);
  const at = await client.list(resourceQuotas, options);
  const isThere = (status: { readonly used?: object } | undefined): boolean =>
    Object.entries(used).every(
      ([key, value]) => new Map(Object.entries(status?.used ?? {})).get(key) === value,
    );
  if (at.items.some(({ status }) => isThere(status))) return;
  const resourceVersion = at.resourceVersion;
  const watch = await client.watch(resourceQuotas, { ...options, resourceVersion, signal });
  for await (const event of watch) {
    if ("object" in event && isThere((event.object as { status?: object }).status)) return;
  }
  assert.fail(`the quota never said ${JSON.stringify(used)}`);
}

test("a quota's use follows what comes and goes, and never more comes than it allows", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const { client } = cluster;
  await client.create(resourceQuotas, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "q", namespace },
    spec: { hard: { pods: "3", configmaps: "10" } },
  });
  await until(client, { name: "q", namespace }, { pods: "0", configmaps: "1" });
  const labels = { app: "a" };
  await client.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "r", namespace },
    spec: {
      replicas: 6,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  });
  const made = await Promise.allSettled(
    Array.from({ length: 30 }, (_, index) =>
      client.create(configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: `c${index}`, namespace },
      }),
    ),
  );
  assert.equal(made.filter(({ status }) => status === "fulfilled").length, 9);
  await until(client, { name: "q", namespace }, { pods: "3", configmaps: "10" });
  assert.equal((await client.list(pods, { namespace })).items.length, 3);
  await client.deleteCollection(configMaps, { namespace, labelSelector: "!none" });
  await client.delete(replicaSets, { namespace, name: "r" });
  await until(client, { name: "q", namespace }, { pods: "0", configmaps: "1" });
});

test("a quota captures the life of each kind that it counts", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const { client } = cluster;
  const namespace = "play";
  await client.create(namespaces, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace },
  });
  const hard = {
    secrets: "9",
    services: "9",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    replicationcontrollers: "9",
    "count/replicasets.apps": "9",
  };
  const nothing = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]));
  const spec = { hard };
  const metadata = { name: "q", namespace };
  await client.create(resourceQuotas, { apiVersion: "v1", kind: "ResourceQuota", metadata, spec });
  await until(client, metadata, nothing);
  const at = { name: "one", namespace };
  const labels = { app: "none" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
  const service = (name: string, type: string) => ({
    apiVersion: "v1" as const,
    kind: "Service" as const,
    metadata: { name, namespace },
    spec: { type, ports: [{ port: 80 }] },
  });
  await client.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: at });
  await client.create(services, service("one", "NodePort"));
  await assert.rejects(
    client.create(services, service("two", "LoadBalancer")),
    /exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1/,
  );
  await client.create(replicationControllers, {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: at,
    spec: { replicas: 0, selector: labels, template },
  });
  await client.create(replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: at,
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  });
  const used = { ...nothing, secrets: "1", services: "1", replicationcontrollers: "1" };
  await until(client, metadata, {
    ...used,
    "services.nodeports": "1",
    "count/replicasets.apps": "1",
  });
  await client.delete(secrets, at);
  await client.delete(services, at);
  await client.delete(replicationControllers, at);
  await client.delete(replicaSets, at);
  await until(client, metadata, nothing);
});

test("a quota captures the devices that claims may get, by their class", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const { client } = cluster;
  const devices = "gold.deviceclass.resource.k8s.io/devices";
  const count = "count/resourceclaims.resource.k8s.io";
  const metadata = { name: "q", namespace };
  const spec = { hard: { [devices]: "40", [count]: "9" } };
  await client.create(resourceQuotas, { apiVersion: "v1", kind: "ResourceQuota", metadata, spec });
  await until(client, metadata, { [devices]: "0", [count]: "0" });
  const at = { name: "one", namespace };
  const claim = (name: string, requests: readonly object[]) => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace },
    spec: { devices: { requests } },
  });
  const exactly = { deviceClassName: "gold", count: 2 };
  const either = [
    { name: "a", deviceClassName: "gold", count: 3 },
    { name: "b", deviceClassName: "gold", count: 1 },
    { name: "c", deviceClassName: "silver", allocationMode: "All" },
  ];
  await client.create(
    resourceClaims,
    claim("one", [
      { name: "x", exactly },
      { name: "y", firstAvailable: either },
    ]) as never,
  );
  await until(client, metadata, { [devices]: "5", [count]: "1" });
  const all = [{ name: "x", exactly: { deviceClassName: "gold", allocationMode: "All" } }];
  await client.create(resourceClaims, claim("two", all) as never);
  await until(client, metadata, { [devices]: "37", [count]: "2" });
  await assert.rejects(
    client.create(resourceClaims, claim("three", all) as never),
    /exceeded quota: q, requested: gold\.deviceclass\.resource\.k8s\.io\/devices=32, used: .*=37, limited: .*=40/,
  );
  await client.delete(resourceClaims, at);
  await until(client, metadata, { [devices]: "32", [count]: "1" });
});
