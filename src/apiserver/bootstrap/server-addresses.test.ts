import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { JsonObject } from "#api/kind.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

test("servers that share a store are all endpoints of the API; one that is silent or leaves is none", async () => {
  await using store = createMemoryStore();
  const start = (ip: string): Promise<TestServer> =>
    createTestServer({
      store,
      isShared: true,
      serviceNetwork: { serviceCidr: "10.96.0.0/24", apiServerAddress: { ip, port: 6443 } },
    });
  const pass = async (server: TestServer, seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      server.clock.advance(1_000);
      for (let round = 0; round < 10; round += 1) await turn();
    }
  };
  const addresses = async (server: TestServer): Promise<readonly unknown[]> => {
    const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    const { body } = await server.send("GET", path);
    const slice = (body.endpoints as JsonObject[]).flatMap((one) => one.addresses as string[]);
    const { body: other } = await server.send(
      "GET",
      "/api/v1/namespaces/default/endpoints/kubernetes",
    );
    const [subset] = other.subsets as { addresses: { ip: string }[] }[];
    assert.deepEqual(
      subset?.addresses.map(({ ip }) => ip),
      slice,
    );
    return slice;
  };
  const first = await start("192.0.2.1");
  await using second = await start("192.0.2.2");
  {
    await using third = await start("192.0.2.3");
    assert.deepEqual(await addresses(second), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    // The first one's clock stands: it is dead to the others.
    await pass(second, 25);
    await pass(third, 25);
    assert.equal((await addresses(third)).length, 3);
    await pass(second, 20);
    assert.deepEqual(await addresses(second), ["192.0.2.2", "192.0.2.3"]);
  }
  assert.deepEqual(await addresses(second), ["192.0.2.2"]);
  await pass(first, 11);
  assert.deepEqual(await addresses(second), ["192.0.2.1", "192.0.2.2"], "it was only slow");
  await first[Symbol.asyncDispose]();
});
