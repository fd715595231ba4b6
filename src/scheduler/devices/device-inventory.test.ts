import { rejects } from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import { DeviceInventory } from "#scheduler/devices/device-inventory.ts";

test("DeviceInventory may end before it knows anything, with nobody waiting for it", async () => {
  const stop = new AbortController();
  const never = () => new Promise<never>(() => {});
  const client = createClient({ request: never, watch: () => Promise.reject(new Error("no")) });
  const parts = { client, clock: systemClock, log: silentLog, signal: stop.signal };
  const inventory = new DeviceInventory(createInformers(parts));
  stop.abort();
  // A rejection that nobody handles would end the process here.
  for (let turns = 0; turns < 5; turns++) await turn();
  await rejects(inventory.synced);
});
