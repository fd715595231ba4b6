import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { leases } from "#api/resources.ts";
import { silentLog } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { leadWhileElected } from "#reconcile/lease-election.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { admin, createTestServer } from "#test/api-server.ts";

test("leadWhileElected() lets one candidate lead at a time; a silent or leaving one is followed", async () => {
  await using server = await createTestServer();
  const client = createClient(createInProcessTransport(server.server, admin));
  const time = createManualClock(Date.UTC(2026, 0, 1));
  let jumpedMs = 0;
  const clock = { now: () => time.now() + jumpedMs, after: time.after.bind(time) };
  const leading: string[] = [];
  const stops = new Map<string, AbortController>();
  const candidate = (identity: string, broken?: () => boolean): Promise<void> => {
    const stop = new AbortController();
    stops.set(identity, stop);
    const own = broken
      ? {
          ...client,
          update: async () => Promise.reject(new Error("cut off")),
          get: async () => Promise.reject(new Error("cut off")),
        }
      : client;
    const chosen = new Proxy(client, {
      get: (target, name) => Reflect.get(broken?.() ? own : target, name) as unknown,
    });
    const parts = {
      client: chosen,
      clock,
      log: silentLog,
      signal: stop.signal,
      namespace: "kube-system",
      name: "test",
      identity,
    };
    return leadWhileElected(parts, async (signal) => {
      leading.push(identity);
      await new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => resolve(), { once: true }),
      );
      leading.splice(leading.indexOf(identity), 1);
    });
  };
  const pass = async (seconds: number): Promise<void> => {
    for (let step = 0; step < seconds * 2; step += 1) {
      time.advance(500);
      for (let round = 0; round < 5; round += 1) await turn();
      equal(leading.length <= 1, true, `one leader at a time, not ${leading.join(" and ")}`);
    }
  };

  let cut = false;
  const first = candidate("first", () => cut);
  await pass(1);
  const second = candidate("second");
  const third = candidate("third");
  await pass(30);
  deepEqual(leading, ["first"]);

  for (const byMs of [3_600_000, -7_200_000]) {
    jumpedMs += byMs;
    await pass(30);
    deepEqual(leading, ["first"], "a clock that is put changes nothing");
  }

  cut = true;
  await pass(5);
  jumpedMs -= 3_600_000;
  await pass(25);
  equal(leading.length, 1);
  const [heir = ""] = leading;
  equal(heir === "first", false);
  const { spec } = await client.get(leases, { namespace: "kube-system", name: "test" });
  deepEqual([spec?.holderIdentity, spec?.leaseTransitions], [heir, 1]);

  stops.get(heir)?.abort();
  await pass(4);
  equal(leading.length, 1);
  equal(leading.includes(heir), false);
  for (const stop of stops.values()) stop.abort();
  await pass(3);
  await Promise.all([first, second, third]);
  const given = await client.get(leases, { namespace: "kube-system", name: "test" });
  equal(given.spec?.holderIdentity ?? "", "");
});
