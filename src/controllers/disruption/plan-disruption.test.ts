import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec } from "#api/generated/types.ts";
import { planBudget, planFailedBudget } from "#controllers/disruption/plan-disruption.ts";

const now = "2026-01-01T01:00:00Z";
const nowMs = Date.parse(now);

const budget = (
  spec: PodDisruptionBudgetSpec,
  disruptedPods?: Record<string, string>,
): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "b", namespace: "a", generation: 3 },
  spec,
  ...(disruptedPods && { status: { disruptedPods } }),
});

const pod = (name: string, ready = true): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});

const deleted = (name: string): Pod => {
  const { metadata, ...rest } = pod(name);
  return { ...rest, metadata: { ...metadata, deletionTimestamp: now } };
};

test("planBudget() allows what is healthy beyond what must stay", () => {
  const three = [pod("p"), pod("q"), pod("r")];
  const cases: [PodDisruptionBudgetSpec, Pod[], number, readonly number[]][] = [
    [{ minAvailable: 2 }, three, 0, [3, 2, 1, 3]],
    [{ minAvailable: 2 }, [pod("p"), pod("q", false)], 0, [1, 2, 0, 2]],
    [{ minAvailable: 0 }, [], 0, [0, 0, 0, 0]],
    [{ minAvailable: "50%" }, three, 3, [3, 2, 1, 3]],
    [{ maxUnavailable: 1 }, [pod("p"), pod("q"), deleted("r")], 3, [2, 2, 0, 3]],
    [{ maxUnavailable: "30%" }, three, 4, [3, 2, 1, 4]],
    [{ maxUnavailable: 9 }, three, 3, [3, 0, 3, 3]],
    [{}, three, 0, [3, 0, 0, 0]],
  ];
  for (const [spec, pods, scale, expected] of cases) {
    const { status } = planBudget({ budget: budget(spec), pods, scale, nowMs });
    const { currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods } = status;
    const numbers = [currentHealthy, desiredHealthy, disruptionsAllowed, expectedPods];
    deepEqual(numbers, expected, JSON.stringify(spec));
  }
});

test("planBudget() counts a granted eviction as gone for two minutes, and tells when it did not come", () => {
  const granted = { p: "2026-01-01T00:59:00Z", q: "2026-01-01T00:57:00Z", gone: now };
  const pods = [pod("p"), pod("q"), pod("r")];
  const plan = planBudget({ budget: budget({ minAvailable: 1 }, granted), pods, scale: 0, nowMs });
  deepEqual(plan, {
    status: {
      currentHealthy: 2,
      desiredHealthy: 1,
      disruptionsAllowed: 1,
      expectedPods: 3,
      disruptedPods: { p: "2026-01-01T00:59:00Z" },
      observedGeneration: 3,
      conditions: [
        {
          type: "DisruptionAllowed",
          status: "True",
          reason: "SufficientPods",
          message: "",
          observedGeneration: 3,
          lastTransitionTime: now,
        },
      ],
    },
    notDeleted: [pods[1]],
    againInMs: 60_001,
  });
});

test("planFailedBudget() allows nothing and says why", () => {
  const { disruptionsAllowed, conditions } = planFailedBudget(budget({}), "no controller", nowMs);
  deepEqual(
    [
      disruptionsAllowed,
      conditions?.[0]?.status,
      conditions?.[0]?.reason,
      conditions?.[0]?.message,
    ],
    [0, "False", "SyncFailed", "no controller"],
  );
});
