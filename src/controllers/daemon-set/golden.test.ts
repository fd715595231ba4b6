import { join } from "node:path";
import type { DaemonSet, Node, Pod, Taint } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { planDaemonSet } from "#controllers/daemon-set/plan-daemon-set.ts";
import { goldenPlans } from "#test/golden.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);

interface Given {
  readonly spec?: Partial<NonNullable<DaemonSet["spec"]>>;
  /** Names of nodes, with their taints. */
  readonly nodes: Readonly<Record<string, readonly Taint[]>>;
  /** `a new ready`: node, revision and what else is true of it. The oldest first. */
  readonly pods: readonly string[];
}

goldenPlans<Given>(join(import.meta.dirname, "golden"), ({ spec, nodes, pods }) => {
  const plan = planDaemonSet({
    set: {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "agent", namespace: "a", generation: 1 },
      spec: { selector: { matchLabels: { app: "agent" } }, template: {}, ...spec },
    },
    pods: pods.map(podOf),
    nodes: Object.entries(nodes).map(([name, taints]): Node => {
      return { apiVersion: "v1", kind: "Node", metadata: { name }, spec: { taints } };
    }),
    hash: "new",
    nowMs,
  });
  const { observedGeneration: _seen, ...status } = plan.status;
  return {
    create: plan.create,
    delete: plan.delete.map(nameOf),
    failed: plan.failed.map(nameOf),
    status,
  };
});

function podOf(text: string, at: number): Pod {
  const [nodeName = "", revision = "", ...facts] = text.split(" ");
  const ready = facts.includes("ready") ? "True" : "False";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${nodeName}-${revision}-${at}`,
      namespace: "a",
      creationTimestamp: `2026-01-01T10:00:0${at}Z`,
      labels: { "controller-revision-hash": revision },
      ...(facts.includes("leaving") && { deletionTimestamp: "2026-01-01T11:59:00Z" }),
    },
    spec: { nodeName, containers: [] },
    status: {
      phase: facts.includes("failed") ? "Failed" : "Running",
      conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T11:00:00Z" }],
    },
  };
}
