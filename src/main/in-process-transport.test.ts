import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "#api/status.ts";
import type { ConfigMap } from "#api/generated/types.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

test("createInProcessTransport() hands over one frozen object to all who ask", async () => {
  await using api = await createTestServer();
  const transport = createInProcessTransport(api.server, admin, "controller/v1");
  const body = Object.freeze({ metadata: Object.freeze({ name: "a" }), data: { x: "1" } });
  const stop = new AbortController();
  const watch = await transport.watch({ method: "GET", path: configMaps, signal: stop.signal });
  const made = await transport.request({ method: "POST", path: configMaps, body });
  assert.equal(made.status, 201);
  const [event] = await Array.fromAsync(firstOf(watch));
  const read = await transport.request({ method: "GET", path: `${configMaps}/a` });
  assert.equal(event?.type, "ADDED");
  assert.equal(read.value, event?.object);
  assert.equal(read.value, made.value);
  assert.ok(Object.isFrozen((read.value as ConfigMap).data));
  assert.equal((read.value as ConfigMap).metadata.managedFields?.[0]?.manager, "controller");
  stop.abort();
});

async function* firstOf<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    yield item;
    return;
  }
}

test("createInProcessTransport() answers refusals as a status and throws them from a watch", async () => {
  await using api = await createTestServer();
  const transport = createInProcessTransport(api.server, admin);
  const missing = await transport.request({ method: "GET", path: `${configMaps}/none` });
  assert.equal(missing.status, 404);
  await assert.rejects(transport.watch({ method: "GET", path: "/api/v1/widgets" }), StatusError);
});

test("createInProcessTransport() answers text as text", async () => {
  await using api = await createTestServer();
  const transport = createInProcessTransport(api.server, admin);
  const health = await transport.request({ method: "GET", path: "/readyz" });
  assert.deepEqual(health, { status: 200, value: "ok" });
});

test("createInProcessTransport() ends a watch with its signal", async () => {
  await using api = await createTestServer();
  const transport = createInProcessTransport(api.server, admin);
  const stop = new AbortController();
  const watch = await transport.watch({ method: "GET", path: configMaps, signal: stop.signal });
  stop.abort();
  assert.deepEqual(await Array.fromAsync(watch), []);
});
