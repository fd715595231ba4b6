import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { backOffMs } from "#controllers/job/back-off.ts";

const minuteMs = 60_000;
const nowMs = Date.parse("2026-01-01T01:00:00Z");

const ended = (phase: string, agoMs: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { creationTimestamp: new Date(nowMs - agoMs).toISOString() },
  status: { phase },
});

test("backOffMs() doubles with failures since a success; what lies ahead is of before the clock was put back", () => {
  const cases: [readonly Pod[], number][] = [
    [[], 0],
    [[ended("Failed", 0)], 10_000],
    [[ended("Failed", 4_000), ended("Failed", minuteMs)], 16_000],
    [[ended("Failed", 0), ended("Succeeded", 1_000), ended("Failed", minuteMs)], 10_000],
    // A node's clock may be a little ahead.
    [[ended("Failed", -2_000)], 12_000],
    [[ended("Failed", -30 * minuteMs)], 0],
    [[ended("Failed", -30 * minuteMs), ended("Failed", 0)], 10_000],
    [[ended("Succeeded", -30 * minuteMs), ended("Failed", 0)], 10_000],
  ];
  deepEqual(
    cases.map(([pods]) => backOffMs(pods, nowMs)),
    cases.map(([, waitMs]) => waitMs),
  );
});
