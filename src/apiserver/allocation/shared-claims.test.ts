import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { inRange } from "#storage/key.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import type { Store } from "#storage/store.ts";
import { createTestServer } from "#test/api-server.ts";

test("servers that share a store give no address and no port to two services", async () => {
  const remote = remoteStore(createMemoryStore());
  const parts = {
    store: remote,
    isShared: true,
    serviceNetwork: { serviceCidr: "10.96.0.0/26", nodePorts: { from: 30_000, to: 30_039 } },
  };
  await using first = await createTestServer(parts);
  await using second = await createTestServer(parts);
  const create = async (at: number, more: JsonObject = {}): Promise<JsonObject> => {
    const server = at % 2 === 0 ? first : second;
    const spec = { type: "NodePort", ports: [{ port: 80 }], ...more };
    const body = { apiVersion: "v1", kind: "Service", metadata: { name: `s${at}` }, spec };
    const made = await server.send("POST", "/api/v1/namespaces/default/services", { body });
    return made.status === 201 ? (made.body.spec as JsonObject) : made.body;
  };
  const specs = await Promise.all(Array.from({ length: 40 }, (_, at) => create(at)));
  const addresses = specs.map(({ clusterIP }) => clusterIP);
  const ports = specs.flatMap((spec) => (spec.ports as JsonObject[]).map((port) => port.nodePort));
  assert.deepEqual([new Set(addresses).size, new Set(ports).size], [40, 40]);
  const asked = { type: "ClusterIP", clusterIP: "10.96.0.60" };
  const taken = [...addresses].includes("10.96.0.60") ? "10.96.0.61" : "10.96.0.60";
  const both = await Promise.all([40, 41].map((at) => create(at, { ...asked, clusterIP: taken })));
  const refused = both.filter(({ kind }) => kind === "Status");
  assert.equal(refused.length, 1);
  assert.match(JSON.stringify(refused), /provided IP is already allocated/);
});

/** Hands over writes only through watches, as etcd does, and tells of those that a watch leaves out. */
function remoteStore(store: Store): Store {
  const everything = { start: "", end: "" };
  return {
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => store.get(key),
    list: (range, options) => store.list(range, options),
    put: (key, value, expected) => store.put(key, value, expected),
    delete: (key, expected) => store.delete(key, expected),
    compact: (revision) => store.compact(revision),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    async *watch(range, fromRevision, signal, onProgress) {
      for await (const events of store.watch(everything, fromRevision, signal)) {
        const wanted = events.filter(({ key }) => inRange(range, key));
        if (wanted.length > 0) yield wanted;
        onProgress?.(events.at(-1)?.revision ?? 0);
      }
    },
  };
}
