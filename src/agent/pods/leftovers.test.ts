import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { type GonePod, Leftovers } from "#agent/pods/leftovers.ts";
import { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { Sandbox } from "#agent/runtime/container-runtime.ts";
import { createManualClock, type ManualClock } from "#reconcile/manual-clock.ts";

test("a sandbox that came to be after the first look is cleared up with its pod", async () => {
  await using world = createWorld();
  world.sandboxes.push(sandboxOf("kept"), sandboxOf("early"));
  await world.view.reload();
  await world.leftovers.start();
  deepEqual(world.cleared, ["early"]);
  world.sandboxes.push(sandboxOf("late"));
  await world.pass(60_000);
  deepEqual(world.cleared, ["early", "late"]);
  deepEqual(
    world.view.sandboxesOf("late").map(({ id }) => id),
    ["sandbox-of-late"],
  );
});

test("what could not be removed is tried again until it can", async () => {
  await using world = createWorld();
  world.busyRemovals = 4;
  await world.leftovers.start();
  await world.pass(600_000);
  // Once at the start, once when all has settled, and then until it works.
  deepEqual(world.removals, [0, 15_000, 16_000, 18_000, 22_000]);
});

test("a runtime that is away when all has settled is asked again", async () => {
  await using world = createWorld();
  await world.leftovers.start();
  world.sandboxes.push(sandboxOf("late"));
  world.absences = 2;
  await world.pass(600_000);
  deepEqual(world.cleared, ["late"]);
});

test("nothing is looked for any more once the agent has stopped", async () => {
  const world = createWorld();
  world.busyRemovals = Infinity;
  await world.leftovers.start();
  world.leftovers[Symbol.dispose]();
  await world.pass(600_000);
  deepEqual(world.removals, [0]);
});

/** A node where the pod "kept" is known, with a runtime and files that fail as often as they are told to. */
function createWorld() {
  const clock = createManualClock();
  const sandboxes: Sandbox[] = [];
  const cleared: string[] = [];
  const removals: number[] = [];
  const world = { busyRemovals: 0, absences: 0 };
  const runtime = {
    containerState: async () => undefined,
    listContainers: async () => [],
    async listSandboxes() {
      if (world.absences > 0) {
        world.absences -= 1;
        throw new Error("the runtime is away");
      }
      return sandboxes;
    },
  };
  const view = new RuntimeView(runtime);
  const leftovers = new Leftovers({
    runtime,
    view,
    clock,
    log: silentLog,
    files: {
      async removeOrphans() {
        removals.push(clock.now());
        if (removals.length <= world.busyRemovals) throw new Error("a folder is busy");
      },
    },
    isKnown: (uid) => uid === "kept" || cleared.includes(uid),
    clearUp: ({ uid }: GonePod) => cleared.push(uid),
  });
  return Object.assign(world, {
    view,
    leftovers,
    sandboxes,
    cleared,
    removals,
    pass: (ms: number) => pass(clock, ms),
    [Symbol.asyncDispose]: async () => leftovers[Symbol.dispose](),
  });
}

/** Second by second, so that what a timer began has gone on to its next timer. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function sandboxOf(uid: string): Sandbox {
  return {
    id: `sandbox-of-${uid}`,
    name: uid,
    namespace: "default",
    uid,
    attempt: 0,
    state: "ready",
    createdMs: 0,
    ips: [],
    labels: {},
  };
}
