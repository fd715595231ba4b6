import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Node, NodeCondition, Taint, Toleration } from "#api/generated/types.ts";
import { planNode } from "#controllers/node-lifecycle/plan-node.ts";
import { planEviction } from "#controllers/taint-eviction/plan-eviction.ts";

const nowMs = Date.parse("2026-01-01T01:00:00Z");
const now = "2026-01-01T01:00:00Z";

const node = (
  conditions: readonly NodeCondition[],
  taints?: readonly Taint[],
  unschedulable = false,
): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { ...(taints && { taints }), ...(unschedulable && { unschedulable }) },
  status: { conditions },
});

const ready = (status: string): NodeCondition => ({
  type: "Ready",
  status,
  lastHeartbeatTime: "2026-01-01T00:30:00Z",
});

const notReady = [
  { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" },
  { key: "node.kubernetes.io/not-ready", effect: "NoExecute", timeAdded: now },
];

test("planNode() turns silence into Unknown and conditions into taints", () => {
  const own = { key: "dedicated", value: "x", effect: "NoSchedule" };
  const plan = (observed: Node, silentMs = 0) =>
    planNode({ node: observed, heardAtMs: nowMs - silentMs, nowMs });
  deepEqual(plan(node([ready("True")]), 10_000), { becameUnready: false, againInMs: 40_000 });
  deepEqual(plan(node([ready("False")], [own])), {
    taints: [own, ...notReady],
    becameUnready: false,
    againInMs: 50_000,
  });
  deepEqual(plan(node([ready("True")], [notReady[0] as Taint, own, notReady[1] as Taint])), {
    taints: [own],
    becameUnready: false,
    againInMs: 50_000,
  });
  const cordoned = [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }];
  deepEqual(plan(node([ready("True")], undefined, true)).taints, cordoned);
  const silent = plan(node([ready("True")]), 50_000);
  const never = { reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status." };
  const unknown = { status: "Unknown", lastTransitionTime: now };
  deepEqual(silent, {
    conditions: [
      ...["MemoryPressure", "DiskPressure", "PIDPressure"].map((type) => ({
        type,
        ...unknown,
        lastHeartbeatTime: "2026-01-01T00:00:00Z",
        ...never,
      })),
      {
        type: "Ready",
        ...unknown,
        lastHeartbeatTime: "2026-01-01T00:30:00Z",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
      },
    ],
    taints: [
      { key: "node.kubernetes.io/unreachable", effect: "NoSchedule" },
      { key: "node.kubernetes.io/unreachable", effect: "NoExecute", timeAdded: now },
    ],
    becameUnready: true,
  });
  const settled = node(silent.conditions ?? [], silent.taints);
  deepEqual(plan(settled, 90_000), { becameUnready: false });
});

test("planEviction() waits as long as the shortest toleration allows", () => {
  const taint = { key: "k", effect: "NoExecute", timeAdded: "2026-01-01T00:59:00Z" };
  const plan = (tolerations: readonly Toleration[], taints: readonly Taint[] = [taint]) => {
    const metadata = { name: "p" };
    const pod = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [], tolerations } };
    return planEviction(pod, taints, { nowMs, sinceMs: nowMs - 20_000 });
  };
  const tolerating = (seconds?: number): Toleration => ({
    key: "k",
    operator: "Exists",
    effect: "NoExecute",
    ...(seconds !== undefined && { tolerationSeconds: seconds }),
  });
  deepEqual(
    [
      plan([]),
      plan([], [{ key: "k", effect: "NoSchedule" }]),
      plan([tolerating()]),
      plan([tolerating(), tolerating(300), tolerating(90)]),
      plan([tolerating(30)]),
      plan([tolerating(300)], [taint, { key: "other", effect: "NoExecute" }]),
      plan([tolerating(30)], [{ key: "k", effect: "NoExecute" }]),
    ],
    [
      { kind: "evict" },
      { kind: "stay" },
      { kind: "stay" },
      { kind: "wait", waitMs: 30_000 },
      { kind: "evict" },
      { kind: "evict" },
      { kind: "wait", waitMs: 10_000 },
    ],
  );
});
