import { join } from "node:path";
import type { Pod, StatefulSet } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { planStatefulSet } from "#controllers/stateful-set/plan-stateful-set.ts";
import { goldenPlans } from "#test/golden.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);

interface Given {
  readonly spec?: Partial<NonNullable<StatefulSet["spec"]>>;
  /** `2 old ready`: ordinal, revision and what else is true of it. */
  readonly pods: readonly string[];
}

goldenPlans<Given>(join(import.meta.dirname, "golden"), ({ spec, pods }) => {
  const plan = planStatefulSet({
    set: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "db", namespace: "a", generation: 1 },
      spec: {
        replicas: 3,
        serviceName: "db",
        selector: { matchLabels: { app: "db" } },
        template: {},
        ...spec,
      },
    },
    pods: pods.map(podOf),
    updateRevision: "new",
    currentRevision: "old",
    nowMs,
  });
  const { observedGeneration: _seen, collisionCount: _count, ...status } = plan.status;
  return {
    actions: plan.actions.map((action) =>
      action.kind === "create"
        ? `create ${action.ordinal} ${action.revision}`
        : `delete ${nameOf(action.pod)}`,
    ),
    status,
  };
});

function podOf(text: string): Pod {
  const [ordinal = "", revision = "", ...facts] = text.split(" ");
  const ready = facts.includes("ready") ? "True" : "False";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `db-${ordinal}`,
      namespace: "a",
      labels: { "controller-revision-hash": revision },
      ...(facts.includes("leaving") && { deletionTimestamp: "2026-01-01T11:59:00Z" }),
    },
    status: {
      phase: facts.includes("failed") ? "Failed" : "Running",
      conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T11:00:00Z" }],
    },
  };
}
