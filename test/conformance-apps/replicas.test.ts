import { deepEqual, ok } from "node:assert/strict";
import type { Pod, ReplicaSet, ReplicationController } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { pods, replicaSets, replicationControllers, resourceQuotas } from "#api/resources.ts";
import {
  alive,
  ownersOf,
  scenario,
  selectorOf,
  templateOf,
} from "#test/conformance-apps/scenario.ts";

const namespace = "conformance";
const at = { name: "set", namespace };

const set = (replicas: number): ReplicaSet => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: at,
  spec: { replicas, selector: selectorOf("set"), template: templateOf("set") },
});

const controller = (replicas: number): ReplicationController => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: at,
  spec: { replicas, selector: { app: "set" }, template: templateOf("set") },
});

const lonePod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "orphan", namespace, labels: { app: "set" } },
  spec: { containers: [{ name: "main", image: "v1" }] },
};

const relabelled = { kind: "merge" as const, value: { metadata: { labels: { app: "other" } } } };

scenario(
  "a ReplicaSet adopts matching pods and releases those that no longer match",
  async (scene) => {
    const { client, get, until } = scene;
    await client.create(pods, lonePod);
    await client.create(replicaSets, set(1));
    await until(() => ownersOf(get(pods, "orphan") ?? lonePod).join() === "ReplicaSet set");
    await client.patch(pods, { name: "orphan", namespace }, relabelled);
    await until(() => ownersOf(get(pods, "orphan") ?? lonePod).length === 0);
    await until(() => scene.pods().length === 2);
    deepEqual(scene.pods().filter((pod) => ownersOf(pod).length > 0).length, 1);
  },
);

scenario(
  "a ReplicationController adopts matching pods and releases those that no longer match",
  async (scene) => {
    const { client, get, until } = scene;
    await client.create(pods, lonePod);
    await client.create(replicationControllers, controller(1));
    await until(
      () => ownersOf(get(pods, "orphan") ?? lonePod).join() === "ReplicationController set",
    );
    await client.patch(pods, { name: "orphan", namespace }, relabelled);
    await until(() => ownersOf(get(pods, "orphan") ?? lonePod).length === 0);
    await until(() => scene.pods().length === 2);
  },
);

scenario("a ReplicationController says that a quota keeps it from making pods", async (scene) => {
  const { client, get, until } = scene;
  const quota = {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: at,
    spec: { hard: { pods: "2" } },
  };
  await client.create(resourceQuotas, quota);
  await until(() => get(resourceQuotas, "set")?.status?.hard?.["pods"] === "2");
  await client.create(replicationControllers, controller(3));
  const failure = () =>
    get(replicationControllers, "set")?.status?.conditions?.find(
      ({ type }) => type === "ReplicaFailure",
    );
  await until(() => failure()?.status === "True");
  deepEqual(failure()?.reason, "FailedCreate");
  const value = { spec: { replicas: 2 } };
  await client.patch(replicationControllers, at, { kind: "merge", value });
  await until(() => failure() === undefined && scene.pods().length === 2);
});

scenario(
  "ReplicaSets are scaled, replaced, patched, listed and deleted together",
  async (scene) => {
    const { client, get, until } = scene;
    const made = await client.create(replicaSets, set(1));
    await until(() => get(replicaSets, "set")?.status?.readyReplicas === 1);
    const value = { spec: { replicas: 2 } };
    await client.patch(replicaSets, at, { kind: "merge", value }, { subresource: "scale" });
    await until(() => get(replicaSets, "set")?.status?.availableReplicas === 2);
    const { resourceVersion: _version, ...metadata } = made.metadata;
    const spec = {
      ...set(4).spec,
      template: templateOf("set", { image: "v2" }),
    } as ReplicaSet["spec"];
    await client.update(replicaSets, { ...made, metadata, ...(spec && { spec }) });
    await until(() => get(replicaSets, "set")?.status?.availableReplicas === 4);
    deepEqual(
      alive(scene.pods()).filter(({ spec: podSpec }) => podSpec?.containers[0]?.image === "v2")
        .length,
      2,
    );
    const condition = { type: "StatusUpdate", status: "True", reason: "E2E", message: "set" };
    const patch = { kind: "strategic" as const, value: { status: { conditions: [condition] } } };
    const patched = await client.patch(replicaSets, at, patch, { subresource: "status" });
    ok(patched.status?.conditions?.some(({ type }) => type === "StatusUpdate"));
    await client.deleteCollection(replicaSets, { namespace });
    await until(() => get(replicaSets, "set") === undefined && scene.pods().length === 0);
  },
);

scenario("a ReplicationController lives through its whole life", async (scene) => {
  const { client, get, until } = scene;
  await client.create(replicationControllers, controller(1));
  await until(() => get(replicationControllers, "set")?.status?.readyReplicas === 1);
  const labels = { kind: "merge" as const, value: { metadata: { labels: { stage: "patched" } } } };
  deepEqual((await client.patch(replicationControllers, at, labels)).metadata.labels, {
    app: "set",
    stage: "patched",
  });
  const value = { spec: { replicas: 2 } };
  await client.patch(
    replicationControllers,
    at,
    { kind: "merge", value },
    { subresource: "scale" },
  );
  await until(() => get(replicationControllers, "set")?.status?.availableReplicas === 2);
  deepEqual(new Set(scene.pods().map(nameOf)).size, 2);
  await client.deleteCollection(replicationControllers, {
    namespace,
    labelSelector: "stage=patched",
  });
  await until(() => get(replicationControllers, "set") === undefined);
});
