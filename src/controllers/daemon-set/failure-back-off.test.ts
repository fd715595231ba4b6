import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { FailureBackOff } from "#controllers/daemon-set/failure-back-off.ts";

test("FailureBackOff doubles the wait while something keeps failing, and forgets", () => {
  const backOff = new FailureBackOff();
  const take = (nowMs: number): number => backOff.take("a", nowMs);
  deepEqual(
    [take(0), take(400), take(1_000), take(1_500), take(3_000), take(3_000)],
    [0, 600, 0, 1_500, 0, 4_000],
  );
  deepEqual([take(5_000_000), take(5_000_500), backOff.take("b", 0)], [0, 500, 0]);
});

test("FailureBackOff waits no longer when the clock was put back", () => {
  const backOff = new FailureBackOff();
  const take = (nowMs: number): number => backOff.take("a", nowMs);
  deepEqual([take(5_000_000), take(1_000), take(1_600), take(2_000)], [0, 1_000, 400, 0]);
});
