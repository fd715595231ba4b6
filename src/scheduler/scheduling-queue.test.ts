import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { prioritySort } from "#scheduler/plugins/priority-sort.ts";
import type { ClusterEvent } from "#scheduler/framework.ts";
import { SchedulingQueue } from "#scheduler/scheduling-queue.ts";

const podGone: ClusterEvent = {
  kind: "podGone",
  pod: placedPod({ apiVersion: "v1", kind: "Pod", metadata: { name: "gone", uid: "gone" } }),
};

function setUp(heldBack: ReadonlySet<string> = new Set()) {
  const clock = createManualClock();
  const queue = new SchedulingQueue({
    clock,
    before: prioritySort.queueSort ?? (() => false),
    heldBackBy: ({ placed }) => (heldBack.has(placed.name) ? "DynamicResources" : undefined),
    helps: (event) => event.kind === "podGone",
  });
  const put = (name: string, priority = 0): void => {
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, uid: name },
      spec: { containers: [], priority },
    };
    queue.put({ pod, placed: placedPod(pod) });
  };
  const take = (): string | undefined => queue.takeNow()?.pending.placed.name;
  return { clock, queue, put, take };
}

test("SchedulingQueue gives the important first, then the oldest", () => {
  const { clock, put, take } = setUp();
  for (const [name, priority] of [
    ["old", 0],
    ["young", 0],
    ["vip", 5],
  ] as const) {
    put(name, priority);
    clock.advance(1);
  }
  deepEqual([take(), take(), take(), take()], ["vip", "old", "young", undefined]);
});

test("SchedulingQueue holds a rejected pod until an event may help and its back-off is over", () => {
  const { clock, queue, put, take } = setUp();
  put("p");
  take();
  queue.giveBack("p", new Set(["NodeResourcesFit"]));
  queue.notify({ kind: "nodeAdded" });
  clock.advance(2000);
  equal(take(), undefined);
  queue.notify(podGone);
  equal(take(), "p");
  queue.giveBack("p", new Set(["NodeResourcesFit"]));
  queue.notify(podGone);
  equal(take(), undefined);
  clock.advance(2000);
  equal(take(), "p");
  queue.giveBack("p", new Set(["NodeResourcesFit"]));
  clock.advance(300_000);
  equal(take(), "p");
});

test("SchedulingQueue tries again after an error, and forgets what was removed", () => {
  const { clock, queue, put, take } = setUp();
  put("p");
  put("q");
  take();
  queue.giveBack("p", new Set());
  queue.remove("q");
  clock.advance(1000);
  deepEqual([take(), take()], ["p", undefined]);
});

test("SchedulingQueue holds a pod back that may not be tried yet, and gives it at once when it may", () => {
  const heldBack = new Set(["p"]);
  const { queue, put, take } = setUp(heldBack);
  put("p");
  queue.notify(podGone);
  equal(take(), undefined);
  heldBack.clear();
  queue.notify(podGone);
  equal(take(), "p");
});
