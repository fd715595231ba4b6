import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { DeviceTaint, DeviceToleration } from "#api/generated/types.ts";
import {
  planDeviceEviction,
  type TaintedUse,
} from "#controllers/device-taint-eviction/plan-device-eviction.ts";
import type { Eviction } from "#controllers/taint-eviction/plan-eviction.ts";

const nowMs = Date.parse("2026-01-01T01:00:00Z");
/** A minute ago. */
const sick: DeviceTaint = {
  key: "sick",
  value: "very",
  effect: "NoExecute",
  timeAdded: "2026-01-01T00:59:00Z",
};
const later: DeviceTaint = { ...sick, key: "later", timeAdded: "2026-01-01T01:00:30Z" };

const exists = (more: Partial<DeviceToleration> = {}): DeviceToleration => ({
  key: "sick",
  operator: "Exists",
  effect: "NoExecute",
  ...more,
});
const equal = (value: string): DeviceToleration => exists({ operator: "Equal", value });
const forSeconds = (tolerationSeconds: number) => exists({ tolerationSeconds });
const use = (taints: readonly DeviceTaint[], ...tolerations: DeviceToleration[]): TaintedUse => ({
  taints,
  tolerations,
});
const wait = (seconds: number): Eviction => ({ kind: "wait", waitMs: seconds * 1000 });
const evict: Eviction = { kind: "evict" };
const stay: Eviction = { kind: "stay" };

const cases: readonly (readonly [name: string, uses: readonly TaintedUse[], plan: Eviction])[] = [
  ["no devices", [], stay],
  [
    "other effects",
    [
      use([
        { ...sick, effect: "NoSchedule" },
        { ...sick, effect: "None" },
      ]),
    ],
    stay,
  ],
  ["no toleration", [use([sick])], evict],
  ["a taint that is still to come", [use([later])], wait(30)],
  ["tolerated for ever", [use([sick], exists())], stay],
  ["another key", [use([sick], exists({ key: "other" }))], evict],
  ["another effect", [use([sick], exists({ effect: "NoSchedule" }))], evict],
  ["the same value", [use([sick], equal("very"))], stay],
  ["another value", [use([sick], equal("slightly"))], evict],
  ["every key and effect", [use([sick, later], { operator: "Exists" })], stay],
  [
    "seconds without the effect",
    [use([sick], { operator: "Exists", key: "sick", tolerationSeconds: 1 })],
    stay,
  ],
  ["time left", [use([sick], forSeconds(90))], wait(30)],
  ["time over", [use([sick], forSeconds(60))], evict],
  ["less than no time", [use([sick], forSeconds(-1))], evict],
  ["the shorter of two times", [use([sick], forSeconds(90), forSeconds(70))], wait(10)],
  ["for a time and for ever", [use([sick], forSeconds(1), exists())], stay],
  ["one of two taints", [use([sick, later], exists())], wait(30)],
  ["one of two devices", [use([sick], exists()), use([sick], forSeconds(61))], wait(1)],
  [
    "a taint without a time counts from when it was seen",
    [use([{ key: "sick", effect: "NoExecute" }], forSeconds(25))],
    wait(5),
  ],
];

test("planDeviceEviction() evicts when the first time is over that a taint is tolerated for", () => {
  const times = { nowMs, sinceMs: nowMs - 20_000 };
  deepEqual(
    cases.map(([name, uses]) => [name, planDeviceEviction(uses, times)]),
    cases.map(([name, , plan]) => [name, plan]),
  );
});
