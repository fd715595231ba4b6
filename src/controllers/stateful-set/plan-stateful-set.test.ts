import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, StatefulSet, StatefulSetSpec } from "#api/generated/types.ts";
import { planStatefulSet } from "#controllers/stateful-set/plan-stateful-set.ts";

const set = (spec: Partial<StatefulSetSpec>): StatefulSet => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "s", uid: "s" },
  spec: { replicas: 4, selector: {}, serviceName: "s", template: {}, ...spec },
});

/** `old`, `new` or `new!` for one that is not ready, by ordinal. */
const podsOf = (states: readonly string[]): Pod[] =>
  states.map((state, ordinal) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `s-${ordinal}`,
      uid: `s-${ordinal}`,
      labels: { "controller-revision-hash": state.replace("!", "") },
    },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: state.endsWith("!") ? "False" : "True" }],
    },
  }));

test("planStatefulSet() updates from the last, down to the partition, within what may be missing", () => {
  const rolling = (rollingUpdate: object, podManagementPolicy = "Parallel") => ({
    podManagementPolicy,
    updateStrategy: { type: "RollingUpdate", rollingUpdate },
  });
  const old = ["old", "old", "old", "old"];
  const cases: [Partial<StatefulSetSpec>, readonly string[], readonly string[]][] = [
    [rolling({}), old, ["s-3"]],
    [rolling({}, "OrderedReady"), old, ["s-3"]],
    [rolling({ maxUnavailable: 2 }), old, ["s-3", "s-2"]],
    [rolling({ maxUnavailable: "99%" }), old, ["s-3", "s-2", "s-1"]],
    [rolling({ maxUnavailable: "10%" }), old, ["s-3"]],
    [rolling({ maxUnavailable: 4, partition: 2 }), old, ["s-3", "s-2"]],
    [rolling({ maxUnavailable: 2 }), ["old", "old", "old", "new!"], ["s-2"]],
    [rolling({}), ["old", "old", "old", "new!"], []],
    [rolling({}), ["old", "old", "old!", "new"], ["s-2"]],
    [{ ...rolling({}), updateStrategy: { type: "OnDelete" } }, old, []],
  ];
  for (const [spec, states, expected] of cases) {
    const plan = planStatefulSet({
      set: set(spec),
      pods: podsOf(states),
      updateRevision: "new",
      currentRevision: "old",
      nowMs: 0,
    });
    const deleted = plan.actions.map((action) =>
      action.kind === "delete" ? action.pod.metadata.name : action,
    );
    deepEqual(deleted, expected, `${JSON.stringify(spec)} ${states.join(" ")}`);
  }
});
