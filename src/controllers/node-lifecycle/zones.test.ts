import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { EvictionPace } from "#controllers/node-lifecycle/zones.ts";
import { nextStep } from "#controllers/node-ttl/node-ttl-controller.ts";

const paceOf = (zones: Readonly<Record<string, readonly [ready: number, unready: number]>>) => {
  const pace = new EvictionPace();
  for (const [zone, [ready, unready]] of Object.entries(zones)) {
    for (let at = 0; at < ready + unready; at++) {
      pace.note(`${zone}-${at}`, { zone, isReady: at < ready });
    }
  }
  return pace;
};

test("EvictionPace lets one node of a zone go in ten seconds", () => {
  const pace = paceOf({ a: [8, 2], b: [3, 1] });
  deepEqual(
    [pace.take("a", 0), pace.take("a", 4_000), pace.take("b", 4_000), pace.take("a", 10_000)],
    [0, 6_000, 0, 0],
  );
});

test("EvictionPace slows down or stops where most of a zone is silent", () => {
  const small = paceOf({ a: [4, 6], b: [5, 0] });
  equal(small.take("a", 0), undefined);
  const large = paceOf({ a: [20, 40], b: [5, 0] });
  deepEqual([large.take("a", 0), large.take("a", 50_000)], [0, 50_000]);
  // A zone that is silent altogether is evicted as long as another one is heard of.
  equal(paceOf({ a: [0, 5], b: [5, 0] }).take("a", 0), 0);
  equal(paceOf({ a: [0, 5], b: [0, 2] }).take("a", 0), undefined);
});

test("EvictionPace says when the state of a zone changes", () => {
  const pace = paceOf({ a: [4, 2] });
  equal(pace.note("a-3", { zone: "a", isReady: false }), false);
  equal(pace.note("a-2", { zone: "a", isReady: false }), true);
  equal(pace.note("a-2", { zone: "a", isReady: false }), false);
  equal(pace.note("a-2", undefined), false);
});

test("nextStep() moves between sizes of clusters without going to and fro", () => {
  const walk = (counts: readonly number[]): number[] => {
    let step = 0;
    return counts.map((count) => (step = nextStep(step, count)));
  };
  deepEqual(walk([50, 100, 101, 95, 89, 600, 460, 20_000]), [0, 0, 1, 1, 0, 2, 2, 5]);
});
