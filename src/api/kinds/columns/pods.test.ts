import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { podColumns } from "#api/kinds/columns/pods.ts";

const nowMs = Date.parse("2026-11-22T12:00:00Z");
const minuteAgo = "2026-11-22T11:59:00Z";

const running = { ready: true, restartCount: 0, state: { running: {} } };
const ended = (reason: string, exitCode = 0) => ({ state: { terminated: { reason, exitCode } } });
const waiting = (reason: string) => ({ ready: false, state: { waiting: { reason } } });
const ready = { type: "Ready", status: "True" };

const rows: readonly [string, JsonObject, string][] = [
  ["new", { status: { phase: "Pending" } }, "0/1 Pending 0"],
  ["running", { status: status("Running", [running]) }, "1/1 Running 0"],
  [
    "creating",
    { status: status("Pending", [waiting("ContainerCreating")]) },
    "0/1 ContainerCreating 0",
  ],
  [
    "restarted",
    {
      status: status("Running", [
        {
          ...running,
          restartCount: 3,
          lastState: { terminated: { finishedAt: "2026-11-22T11:59:55Z" } },
        },
      ]),
    },
    "1/1 Running 3 (5s ago)",
  ],
  [
    "crashing",
    { status: status("Running", [{ ...waiting("CrashLoopBackOff"), restartCount: 2 }]) },
    "0/1 CrashLoopBackOff 2",
  ],
  ["done", { status: status("Succeeded", [ended("Completed")]) }, "0/1 Completed 0"],
  ["failed", { status: status("Failed", [ended("Error", 1)]) }, "0/1 Error 0"],
  ["exited", { status: status("Failed", [ended("", 3)]) }, "0/1 ExitCode:3 0"],
  [
    "killed",
    { status: status("Failed", [{ state: { terminated: { signal: 9, exitCode: 137 } } }]) },
    "0/1 Signal:9 0",
  ],
  ["evicted", { status: { phase: "Failed", reason: "Evicted" } }, "0/1 Evicted 0"],
  [
    "gated",
    {
      status: {
        phase: "Pending",
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
      },
    },
    "0/1 SchedulingGated 0",
  ],
  [
    "terminating",
    { metadata: { deletionTimestamp: minuteAgo }, status: status("Running", [running]) },
    "1/1 Terminating 0",
  ],
  [
    "deleted after its end",
    {
      metadata: { deletionTimestamp: minuteAgo },
      status: status("Succeeded", [ended("Completed")]),
    },
    "0/1 Completed 0",
  ],
  [
    "on a lost node",
    {
      metadata: { deletionTimestamp: minuteAgo },
      status: { ...status("Running", [running]), reason: "NodeLost" },
    },
    "1/1 Unknown 0",
  ],
  [
    "half done",
    {
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      status: { ...status("Running", [running, ended("Completed")]), conditions: [ready] },
    },
    "1/2 Running 0",
  ],
  [
    "half done and not ready",
    {
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      status: status("Running", [ended("Completed"), running]),
    },
    "1/2 NotReady 0",
  ],
  [
    "at its first init container",
    initializing([{ name: "i", ...waiting("PodInitializing") }, { name: "j" }]),
    "0/1 Init:0/2 0",
  ],
  [
    "at its second init container",
    initializing([
      { name: "i", ...ended("Completed") },
      { name: "j", state: { running: {} } },
    ]),
    "0/1 Init:1/2 0",
  ],
  [
    "with a failing init container",
    initializing([{ name: "i", restartCount: 4, ...waiting("CrashLoopBackOff") }]),
    "0/1 Init:CrashLoopBackOff 4",
  ],
  [
    "with a failed init container",
    initializing([{ name: "i", ...ended("", 2) }]),
    "0/1 Init:ExitCode:2 0",
  ],
  [
    "with a sidecar",
    {
      spec: {
        containers: [{ name: "a" }],
        initContainers: [{ name: "side", restartPolicy: "Always" }],
      },
      status: {
        ...status("Running", [running]),
        initContainerStatuses: [{ name: "side", started: true, ...running, restartCount: 1 }],
      },
    },
    "2/2 Running 1",
  ],
];

for (const [name, pod, wanted] of rows) {
  test(`podColumns shows a pod that is ${name}`, () => {
    const whole: JsonObject = { spec: { containers: [{ name: "a" }] }, ...pod };
    const cells = podColumns.slice(1, 4).map((column) => column.cell(whole, nowMs) as string);
    deepEqual(cells.join(" "), wanted);
  });
}

test("podColumns shows addresses, nodes and gates with -o wide", () => {
  const pod: JsonObject = {
    metadata: { name: "web", creationTimestamp: minuteAgo },
    spec: {
      containers: [{ name: "a" }],
      nodeName: "n1",
      readinessGates: [{ conditionType: "x" }, { conditionType: "y" }],
    },
    status: {
      ...status("Running", [running]),
      podIPs: [{ ip: "10.0.0.5" }],
      conditions: [{ type: "x", status: "True" }],
    },
  };
  deepEqual(
    podColumns.map((column) =>
      [column.name, column.priority, column.cell(pod, nowMs) as string].join("|"),
    ),
    [
      "Name|0|web",
      "Ready|0|1/1",
      "Status|0|Running",
      "Restarts|0|0",
      "Age|0|60s",
      "IP|1|10.0.0.5",
      "Node|1|n1",
      "Nominated Node|1|<none>",
      "Readiness Gates|1|1/2",
    ],
  );
});

function status(phase: string, containerStatuses: readonly object[]): JsonObject {
  return { phase, containerStatuses: containerStatuses as JsonObject[] };
}

function initializing(statuses: readonly object[]): JsonObject {
  const initContainers = (statuses as { name: string }[]).map(({ name }) => ({ name }));
  return {
    spec: { containers: [{ name: "a" }], initContainers },
    status: { phase: "Pending", initContainerStatuses: statuses as JsonObject[] },
  };
}
