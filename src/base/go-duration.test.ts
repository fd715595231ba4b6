import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { parseGoDuration, parseGoDurationNanos } from "#base/go-duration.ts";

const durations: readonly (readonly [text: unknown, ms: number | undefined])[] = [
  ["0", 0],
  ["-0", 0],
  ["0s", 0],
  ["300ms", 300],
  ["1h30m", 5_400_000],
  ["1m30s", 90_000],
  ["1h1h", 7_200_000],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["1.s", 1000],
  ["+2s", 2000],
  ["-1.5s", -1500],
  ["500us", 0.5],
  ["500\u00b5s", 0.5],
  ["500\u03bcs", 0.5],
  ["250000ns", 0.25],
  ["0.1ns", 0],
  ["2562047h", 9_223_369_200_000],
  ["2562048h", undefined],
  [`${"0".repeat(256)}s`, undefined],
  ["", undefined],
  ["-", undefined],
  ["5", undefined],
  [5, undefined],
  [null, undefined],
  ["s", undefined],
  [".s", undefined],
  ["7d", undefined],
  ["1h -5m", undefined],
  ["1h-5m", undefined],
  [" 1s", undefined],
  ["1s\n", undefined],
];

test("parseGoDuration() reads what Go's time.ParseDuration reads, and nothing else", () => {
  deepEqual(
    durations.map(([text]) => [text, parseGoDuration(text)]),
    durations,
  );
});

test("parseGoDurationNanos() keeps every nanosecond", () => {
  deepEqual(parseGoDurationNanos("-2562047h47m16.854775807s"), -(2n ** 63n - 1n));
});
