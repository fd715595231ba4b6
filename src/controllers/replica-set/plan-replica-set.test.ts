import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, ReplicaSet } from "#api/generated/types.ts";
import type { PodGroup } from "#controllers/pods/pod-tally.ts";
import { planReplicas, planReplicaSetStatus } from "#controllers/replica-set/plan-replica-set.ts";

const nowMs = Date.parse("2026-01-01T01:00:00Z");

const replicaSet = (replicas: number, extra: Partial<ReplicaSet> = {}): ReplicaSet => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "web", namespace: "a", uid: "rs", generation: 3 },
  spec: {
    replicas,
    minReadySeconds: 10,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } } },
  },
  ...extra,
});

interface PodState {
  readonly node?: string;
  readonly phase?: string;
  readonly readyAt?: string;
  readonly cost?: string;
  readonly restarts?: number;
  readonly createdAt?: string;
}

const pod = (name: string, state: PodState = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    uid: name,
    labels: { app: "web" },
    creationTimestamp: state.createdAt ?? "2026-01-01T00:00:00Z",
    ...(state.cost && {
      annotations: { "controller.kubernetes.io/pod-deletion-cost": state.cost },
    }),
  },
  spec: { containers: [], nodeName: state.node ?? "n1" },
  status: {
    phase: state.phase ?? "Running",
    conditions: [
      state.readyAt
        ? { type: "Ready", status: "True", lastTransitionTime: state.readyAt }
        : { type: "Ready", status: "False" },
    ],
    containerStatuses: [
      { name: "c", image: "", imageID: "", ready: true, restartCount: state.restarts ?? 0 },
    ],
  },
});

test("planReplicas() deletes the pods that matter least first", () => {
  const ready = "2026-01-01T00:30:00Z";
  const active = [
    pod("k-old-ready", { node: "n2", readyAt: "2026-01-01T00:00:00Z" }),
    pod("j-young-ready", { node: "n2", readyAt: "2026-01-01T00:58:00Z" }),
    pod("i-restarted", { node: "n2", readyAt: ready, restarts: 4 }),
    pod("h-crowded", { node: "n3", readyAt: ready }),
    pod("g-crowded-too", { node: "n3", readyAt: ready }),
    pod("f-cheap", { node: "n2", readyAt: ready, cost: "-5" }),
    pod("e-unready", { node: "n2" }),
    pod("d-pending", { node: "n2", phase: "Pending" }),
    pod("c-unassigned", { node: "", phase: "Pending" }),
  ];
  const related = [
    ...active,
    ...["x", "y", "z", "u", "v"].map((name) => pod(name, { node: "n3" })),
  ];
  const action = planReplicas({
    replicaSet: replicaSet(1),
    activeCount: active.length,
    active: () => active,
    related: () => related,
    nowMs,
  });
  deepEqual(action.kind === "delete" && action.pods.map(({ metadata }) => metadata.name), [
    "c-unassigned",
    "d-pending",
    "e-unready",
    "f-cheap",
    "h-crowded",
    "g-crowded-too",
    "j-young-ready",
    "i-restarted",
  ]);
});

test("planReplicas() creates what is missing, at most 500 at a time, and nothing for one being deleted", () => {
  const plan = (wanted: ReplicaSet) =>
    planReplicas({
      replicaSet: wanted,
      activeCount: 1,
      active: () => [pod("a")],
      related: () => [],
      nowMs,
    });
  const leaving = { metadata: { name: "web", deletionTimestamp: "2026-01-01T00:00:00Z" } };
  deepEqual([replicaSet(3), replicaSet(1000), replicaSet(1), replicaSet(5, leaving)].map(plan), [
    { kind: "create", count: 2 },
    { kind: "create", count: 500 },
    { kind: "nothing" },
    { kind: "nothing" },
  ]);
});

test("planReplicaSetStatus() counts pods and tells of a failure once", () => {
  const groups: PodGroup[] = [
    {
      labels: { app: "web" },
      keys: new Set(["a", "b", "c", "d"]),
      activeCount: 3,
      terminatingCount: 1,
      readySinceMs: new Map([
        ["a", nowMs - 3_600_000],
        ["b", nowMs - 5_000],
      ]),
    },
  ];
  const failure = { action: "create" as const, message: "quota" };
  const first = planReplicaSetStatus({
    replicaSet: replicaSet(4),
    groups,
    failure,
    nowMs,
  });
  deepEqual(first, {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 1,
    terminatingReplicas: 1,
    conditions: [
      {
        type: "ReplicaFailure",
        status: "True",
        lastTransitionTime: "2026-01-01T01:00:00Z",
        reason: "FailedCreate",
        message: "quota",
      },
    ],
    observedGeneration: 3,
  });
  const next = { replicaSet: replicaSet(4, { status: first }), groups };
  deepEqual(planReplicaSetStatus({ ...next, failure, nowMs: nowMs + 5000 }).conditions, [
    first.conditions?.[0],
  ]);
  deepEqual(planReplicaSetStatus({ ...next, nowMs }).conditions, undefined);
});
