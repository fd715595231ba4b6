import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "#base/metrics.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { createQueueMetrics } from "#reconcile/queue-metrics.ts";
import { createWorkQueue } from "#reconcile/work-queue.ts";

test("a measured queue tells depth, adds, retries, waiting and work under upstream's names", async () => {
  const clock = createManualClock();
  const registry = new MetricsRegistry();
  const queue = createWorkQueue(clock);
  queue.measure(createQueueMetrics(registry, clock).of("job"));
  for (const key of ["a", "b", "a"]) queue.add(key);
  clock.advance(2_000);
  assert.equal(await queue.take(), "a");
  queue.add("a");
  clock.advance(3_000);
  assert.deepEqual(numbersOf(registry), {
    depth: 2,
    adds_total: 3,
    retries_total: 0,
    queue_duration_seconds_sum: 2,
    queue_duration_seconds_count: 1,
    work_duration_seconds_sum: 0,
    work_duration_seconds_count: 0,
    unfinished_work_seconds: 3,
    longest_running_processor_seconds: 3,
  });
  queue.done("a");
  queue.addRateLimited("c");
  queue.close();
  assert.deepEqual(numbersOf(registry), {
    depth: 0,
    adds_total: 3,
    retries_total: 1,
    queue_duration_seconds_sum: 2,
    queue_duration_seconds_count: 1,
    work_duration_seconds_sum: 3,
    work_duration_seconds_count: 1,
  });
});

function numbersOf(registry: MetricsRegistry): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const line of registry.exposition().split("\n")) {
    const match = /^workqueue_(\w+)\{name="job"\} (\S+)$/.exec(line);
    if (match !== null) numbers[match[1] ?? ""] = Number(match[2]);
  }
  return numbers;
}
