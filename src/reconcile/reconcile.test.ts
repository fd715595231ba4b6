import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap } from "#api/generated/types.ts";
import { silentLog } from "#base/log.ts";
import { createController } from "#reconcile/controller.ts";
import { createEventCorrelator } from "#reconcile/event-correlator.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { planClaim } from "#reconcile/owners.ts";
import { assertOneWriter } from "#reconcile/ownership.ts";
import { createWorkQueue } from "#reconcile/work-queue.ts";

test("createWorkQueue() holds a key once and never hands it out twice at a time", async () => {
  const queue = createWorkQueue(createManualClock());
  for (const key of ["a", "b", "a"]) queue.add(key);
  equal(queue.length, 2);
  equal(await queue.take(), "a");
  queue.add("a");
  equal(await queue.take(), "b");
  equal(queue.length, 0);
  queue.done("a");
  equal(await queue.take(), "a");
  const waiting = queue.take();
  queue.close();
  equal(await waiting, undefined);
});

test("createWorkQueue() doubles the delay of a failing key up to 1000 s and takes the earliest delay", () => {
  const clock = createManualClock();
  const queue = createWorkQueue(clock);
  const delays: number[] = [];
  for (let failure = 0; failure < 20; failure++) {
    const from = clock.now();
    queue.addRateLimited("a");
    while (queue.length === 0) clock.advance(5);
    delays.push(clock.now() - from);
    void queue.take();
    queue.done("a");
  }
  deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
  deepEqual(delays.slice(-2), [1_000_000, 1_000_000]);
  queue.addAfter("b", 100);
  queue.addAfter("b", 10);
  clock.advance(10);
  equal(queue.length, 1);
});

test("createController() lets others have their turn while a key asks for itself again and again", async () => {
  const runs: number[] = [];
  const clock = createManualClock();
  const controller = createController({
    name: "eager",
    reads: [],
    writes: [],
    sources: [
      {
        synced: Promise.resolve(),
        listen: (queue) => {
          queue.add("a");
          return { [Symbol.dispose]: () => {} };
        },
      },
    ],
    reconcile(key, run) {
      runs.push(clock.now());
      run.requeue(0);
      return Promise.resolve();
    },
    clock,
    log: silentLog,
  });
  controller.start();
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  deepEqual(runs, [0]);
  clock.advance(5);
  await turn();
  deepEqual(runs, [0, 5]);
  await controller.stop();
});

test("assertOneWriter() refuses two writers of the same fields", () => {
  const writer = (name: string, fields: string, of?: string) => ({
    name,
    writes: [{ resource: "pods", fields, ...(of && { of }) }],
  });
  assertOneWriter([writer("a", "status"), writer("b", "spec"), writer("c", "deletion")]);
  assertOneWriter([writer("a", "*", "owned by Jobs"), writer("b", "*", "owned by ReplicaSets")]);
  throws(
    () => assertOneWriter([writer("a", "status"), writer("b", "status.conditions")]),
    /Cannot start "b": "a" already writes pods status/,
  );
});

test("planClaim() adopts matching orphans and releases children that no longer match", () => {
  const object = (name: string, app: string, controller?: string): ConfigMap => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      uid: name,
      labels: { app },
      ...(controller && {
        ownerReferences: [
          { apiVersion: "v1", kind: "Owner", name: "x", uid: controller, controller: true },
        ],
      }),
    },
  });
  const owner = object("owner", "");
  const children = [
    object("mine", "web", "owner"),
    object("strayed", "other", "owner"),
    object("orphan", "web"),
    object("stranger", "web", "another"),
  ];
  const names = (list: readonly ConfigMap[]): unknown[] =>
    list.map(({ metadata }) => metadata.name);
  const plan = planClaim(owner, children, (child) => child.metadata.labels?.app === "web");
  deepEqual(
    [names(plan.owned), names(plan.adopt), names(plan.release)],
    [["mine", "orphan"], ["orphan"], ["strayed"]],
  );
});

test("createEventCorrelator() counts equal events, combines similar ones and limits an object's", () => {
  const clock = createManualClock();
  const correlate = createEventCorrelator(clock);
  const say = (message: string) =>
    correlate({ involvedObject: { kind: "Pod", name: "p" }, reason: "R", type: "Normal", message })
      ?.event;
  equal(say("same")?.count, 1);
  equal(say("same")?.count, 2);
  const messages = Array.from({ length: 10 }, (_, number) => say(`text ${number}`)?.message);
  deepEqual(messages.slice(-2), [
    "(combined from similar events): text 8",
    "(combined from similar events): text 9",
  ]);
  for (let spent = 12; spent < 25; spent++) say("same");
  equal(say("same"), undefined);
  clock.advance(300_000);
  equal(say("same")?.count, 16);
});
