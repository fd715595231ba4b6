import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const inDefault = "/api/v1/namespaces/default";

async function createPod(api: TestServer, name: string): Promise<string> {
  await api.send("POST", `${inDefault}/serviceaccounts`, {
    body: { metadata: { name: "default" } },
  });
  const spec = { nodeName: "n1", containers: [{ name: "c", image: "i" }] };
  await api.send("POST", `${inDefault}/pods`, {
    body: { metadata: { name, finalizers: ["example.com/hold"] }, spec },
  });
  return `${inDefault}/pods/${name}`;
}

async function createJob(api: TestServer): Promise<string> {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
  const jobs = "/apis/batch/v1/namespaces/default/jobs";
  await api.send("POST", jobs, { body: { metadata: { name: "a" }, spec: { template } } });
  return `${jobs}/a`;
}

function metadataOf(body: JsonObject): JsonObject {
  return body.metadata as JsonObject;
}

test("a job that is deleted without a policy leaves its pods, and says so", async () => {
  await using api = await createTestServer();
  const path = await createJob(api);
  const { body, headers } = await api.send("DELETE", path);
  assert.deepEqual(metadataOf(body).finalizers, ["orphan"]);
  const warning = headers.find(([name]) => name === "warning")?.[1] ?? "";
  assert.match(warning, /child pods are preserved by default/);
});

test("orphanDependents=false of an object that stays for now is answered with 202", async () => {
  await using api = await createTestServer();
  const path = await createPod(api, "p");
  const { status } = await api.send("DELETE", path, { body: { orphanDependents: false } });
  assert.equal(status, 202);
});

test("while a grace period runs a DELETE shortens it and changes nothing else", async () => {
  await using api = await createTestServer();
  const path = await createPod(api, "p");
  await api.send("DELETE", path);
  const again = await api.send("DELETE", `${path}?propagationPolicy=Foreground`);
  assert.deepEqual(metadataOf(again.body).finalizers, ["example.com/hold"]);
  const shorter = await api.send("DELETE", `${path}?gracePeriodSeconds=-1`);
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadataOf(shorter.body);
  assert.deepEqual([deletionTimestamp, deletionGracePeriodSeconds], ["2026-01-01T00:00:01Z", 1]);
});

test("a name whose object is being deleted is refused with that reason", async () => {
  await using api = await createTestServer();
  const path = await createPod(api, "p");
  await api.send("DELETE", path);
  const spec = { containers: [{ name: "c", image: "i" }] };
  const body = { metadata: { name: "p" }, spec };
  const { body: refusal } = await api.send("POST", `${inDefault}/pods`, { body });
  assert.equal(refusal.message, 'object is being deleted: pods "p" already exists');
});

test("a storage class is answered as it was, a config map as a Status", async () => {
  await using api = await createTestServer();
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  await api.send("POST", classes, { body: { metadata: { name: "a" }, provisioner: "p" } });
  await api.send("POST", `${inDefault}/configmaps`, { body: { metadata: { name: "a" } } });
  const kinds = await Promise.all([
    api.send("DELETE", `${classes}/a`),
    api.send("DELETE", `${inDefault}/configmaps/a`),
  ]);
  assert.deepEqual(
    kinds.map(({ body }) => body.kind),
    ["StorageClass", "Status"],
  );
});

test("a namespace that is being deleted has no grace period", async () => {
  await using api = await createTestServer();
  await api.send("POST", "/api/v1/namespaces", { body: { metadata: { name: "n" } } });
  const { body } = await api.send("DELETE", "/api/v1/namespaces/n");
  assert.equal(metadataOf(body).deletionGracePeriodSeconds, undefined);
  assert.equal((body.status as JsonObject).phase, "Terminating");
});
