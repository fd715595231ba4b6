import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ConfigMap } from "#api/generated/types.ts";
import { configMaps } from "#api/resources.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import type { Transport } from "#client/transport.ts";
import { createGarbageCollector } from "#controllers/garbage-collector/garbage-collector.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { startControllers } from "#reconcile/controller.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const orphan: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: "left",
    namespace: "default",
    ownerReferences: [{ apiVersion: "v1", kind: "Secret", name: "gone", uid: "gone" }],
  },
};

test("createGarbageCollector() begins even when it does not hear at first what is served", async () => {
  await using server = await createTestServer();
  const direct = createInProcessTransport(server.server, admin);
  let unheard = 3;
  const transport: Transport = {
    ...direct,
    async request(request) {
      if (request.path !== "/apis" || unheard-- <= 0) return direct.request(request);
      throw new Error("Cannot hear the answer");
    },
  };
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const stop = new AbortController();
  const client = createClient(transport);
  const parts = { client, clock, log: silentLog, signal: stop.signal };
  const informers = createInformers(parts);
  const informer = informers.of(configMaps);
  await client.create(configMaps, orphan);
  const recorder = () => ({ record: () => {} });
  const kit = { ...parts, informers, random: seededRandom(1), recorder };
  await using _running = startControllers([createGarbageCollector(kit)], parts);
  await informer.synced;
  const patience = AbortSignal.timeout(60_000);
  while (informer.get({ name: "left", namespace: "default" })) {
    patience.throwIfAborted();
    clock.advance(100);
    await turn();
  }
  stop.abort();
});
