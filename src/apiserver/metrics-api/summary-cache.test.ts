import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { SummaryCache } from "#apiserver/metrics-api/summary-cache.ts";
import { silentLog } from "#base/log.ts";

test("SummaryCache asks a node again after ten seconds, and when the clock was put back", async () => {
  const askedAtMs: number[] = [];
  let nowMs = 1_000_000;
  const cache = new SummaryCache({
    read: async () => {
      askedAtMs.push(nowMs);
      return { node: { startTime: "1970-01-01T00:00:00Z" }, pods: [] };
    },
    clock: { now: () => nowMs, after: () => () => {} },
    log: silentLog,
  });
  for (nowMs of [1_000_000, 1_009_999, 1_010_000, 1_000_000, 1_000_001]) {
    await cache.samples(["a"], new AbortController().signal);
  }
  deepEqual(askedAtMs, [1_000_000, 1_010_000, 1_000_000]);
});
