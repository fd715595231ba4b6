import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { containerRuntimeConformance } from "#agent/runtime/container-runtime.conformance.ts";
import { AddressPool } from "#agent/simulated/address-pool.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import { logOf } from "#agent/simulated/simulated-log.ts";
import { behaviourOf } from "#agent/simulated/behaviour.ts";
import { systemClock } from "#base/clock.ts";
import { seededRandom } from "#base/random.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";

containerRuntimeConformance("simulated", async () => {
  const runtime = createSimulatedRuntime({
    clock: systemClock,
    random: seededRandom(7),
    podCidr: "10.1.0.0/24",
    processes: simulatedProcesses,
  });
  return {
    runtime,
    image: "busybox:1",
    logDirectory: "",
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  };
});

test("AddressPool gives each address once and says when none is left", () => {
  const pool = new AddressPool("10.1.2.0/29");
  const given = Array.from({ length: 5 }, () => pool.take());
  deepEqual(given, ["10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"]);
  let refusal = "";
  try {
    pool.take();
  } catch (error) {
    refusal = (error as Error).message;
  }
  equal(refusal, "Cannot give the pod an address: the node's range is used up");
  pool.give("10.1.2.4");
  equal(pool.take(), "10.1.2.4");
});

test("logOf() makes up what was printed until now", async () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const startedMs = clock.now();
  clock.advance(2500);
  const behaviour = behaviourOf("web", { log: "tick", "log-every-ms": "1000" });
  const lines = await Array.fromAsync(
    logOf({
      run: () => ({ behaviour, startedMs, finishedMs: 0 }),
      clock,
      signal: new AbortController().signal,
      follow: false,
    }),
  );
  deepEqual(lines, [
    "2026-01-01T00:00:00.000000000Z stdout F tick",
    "2026-01-01T00:00:01.000000000Z stdout F tick",
    "2026-01-01T00:00:02.000000000Z stdout F tick",
  ]);
});
