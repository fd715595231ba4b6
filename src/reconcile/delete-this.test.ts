import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap, Namespace } from "#api/generated/types.ts";
import { configMaps, namespaces } from "#api/resources.ts";
import { conflict, isNotFound, StatusError } from "#api/status.ts";
import { createClient } from "#client/api-client.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { deleteThis } from "#reconcile/delete-this.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const wanted: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "one", namespace: "default" },
};

test("deleteThis() deletes the object it is given, and never another of its name", async () => {
  await using server = await createTestServer();
  const client = createClient(createInProcessTransport(server.server, admin));
  const first = await client.create(configMaps, wanted);
  equal(await deleteThis(client, { resource: configMaps, object: first }), true);
  equal(await deleteThis(client, { resource: configMaps, object: first }), false, "it is gone");
  const second = await client.create(configMaps, wanted);
  equal(await deleteThis(client, { resource: configMaps, object: first }), false);
  const there = await client.get(configMaps, { namespace: "default", name: "one" });
  deepEqual(there.metadata.uid, second.metadata.uid, "the second one stays");
  equal(await deleteThis(client, { resource: configMaps, object: wanted }), true, "without a uid");
  await rejects(client.get(configMaps, { namespace: "default", name: "one" }), (error) =>
    isNotFound(error),
  );
});

test("deleteThis() takes objects without a namespace, and throws what stands in the way", async () => {
  await using server = await createTestServer();
  const client = createClient(createInProcessTransport(server.server, admin));
  const object: Namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
  await rejects(
    deleteThis(client, { resource: namespaces, object }),
    (error) => error instanceof StatusError && error.status.reason === "Forbidden",
  );
});

test("deleteThis() throws a conflict that is not about the uid, so that it is tried again", async () => {
  const refused = conflict({ group: "", resource: "configmaps" }, "one", "somebody was quicker");
  const client = { delete: () => Promise.reject(refused) };
  await rejects(deleteThis(client, { resource: configMaps, object: wanted }), refused);
});
