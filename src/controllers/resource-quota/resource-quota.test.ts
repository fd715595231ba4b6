import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps, pods, replicaSets, resourceQuotas } from "#api/resources.ts";
import { createCluster, type Client } from "#main/testing.ts";

const namespace = "default";

async function until(client: Client, name: string, used: Record<string, string>): Promise<void> {
  const options = { namespace, fieldSelector: `metadata.name=${name}` };
  const signal = AbortSignal.timeout(10_000);
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
  await until(client, "q", { pods: "0", configmaps: "1" });
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
  await until(client, "q", { pods: "3", configmaps: "10" });
  assert.equal((await client.list(pods, { namespace })).items.length, 3);
  await client.deleteCollection(configMaps, { namespace, labelSelector: "!none" });
  await client.delete(replicaSets, { namespace, name: "r" });
  await until(client, "q", { pods: "0", configmaps: "1" });
});
