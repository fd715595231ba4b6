import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod, PodSpec } from "#api/generated/types.ts";
import { planPod } from "#agent/pods/plan-pod.ts";
import type { PodObservation } from "#agent/pods/pod-observation.ts";
import type { ContainerState, Sandbox } from "#agent/runtime/container-runtime.ts";

const nowMs = 1_000_000;

const ready: Sandbox = {
  id: "s0",
  name: "p",
  namespace: "d",
  uid: "u",
  attempt: 0,
  state: "ready",
  createdMs: 0,
  ips: ["10.0.0.2"],
  labels: {},
};
const lost: Sandbox = { ...ready, state: "not-ready" };

/** `web=running`, `web=exited:1`, `web#2=exited:0` (the third start), all in the sandbox `s0`. */
function containers(text: string): ContainerState[] {
  if (text === "") return [];
  return text.split(" ").map((word) => {
    const [, name = "", attempt = "0", state = "", exitCode = "0"] =
      /^(\w+)(?:#(\d+))?=(\w+)(?::(\d+))?$/.exec(word) ?? [];
    return {
      id: `${name}-${attempt}`,
      sandboxId: "s0",
      name,
      attempt: Number(attempt),
      state: state as ContainerState["state"],
      image: "i",
      imageId: "i",
      createdMs: 0,
      startedMs: 0,
      finishedMs: state === "exited" ? nowMs - 1000 : 0,
      exitCode: Number(exitCode),
      reason: "",
      message: "",
      logPath: "",
      labels: {},
      annotations: {},
    };
  });
}

const named = (name: string, more: Partial<Container> = {}): Container => ({ name, ...more });
const always: PodSpec = { containers: [named("web")] };
const never: PodSpec = { ...always, restartPolicy: "Never" };
const onFailure: PodSpec = { ...always, restartPolicy: "OnFailure" };
function ruled(action: string): PodSpec {
  const restartPolicyRules = [{ action, exitCodes: { operator: "In", values: [42] } }];
  return {
    restartPolicy: "Never",
    initContainers: [named("prepare")],
    containers: [named("web", { restartPolicy: "Never", restartPolicyRules }), named("side")],
  };
}
const withInit: PodSpec = {
  initContainers: [named("prepare"), named("proxy", { restartPolicy: "Always" })],
  containers: [named("web")],
};

interface Case {
  readonly spec: PodSpec;
  readonly runs?: string;
  readonly sandboxes?: readonly Sandbox[];
  readonly deleted?: boolean;
  readonly more?: Partial<PodObservation>;
  readonly plan: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "begins with a sandbox": { spec: always, sandboxes: [], plan: ["create-sandbox 0"] },
  "starts a container in it": { spec: always, plan: ["start-container web 0"] },
  "leaves alone what runs": { spec: always, runs: "web=running", plan: [] },
  "restarts what ended": { spec: always, runs: "web=exited:0", plan: ["start-container web 1"] },
  "waits while a crash is fresh": {
    spec: always,
    runs: "web=exited:1",
    more: { crashDelaysMs: new Map([["web", 10_000]]) },
    plan: ["wait web 1009000"],
  },
  "waits after a failed start": {
    spec: always,
    more: { failures: new Map([["web", { reason: "r", message: "m", retryMs: nowMs + 5 }]]) },
    plan: ["wait web 1000005"],
  },
  "stops a pod that is complete": { spec: never, runs: "web=exited:1", plan: ["stop-sandbox s0"] },
  "restarts a failure under OnFailure": {
    spec: onFailure,
    runs: "web=exited:1",
    plan: ["start-container web 1"],
  },
  "completes a success under OnFailure": {
    spec: onFailure,
    runs: "web=exited:0",
    plan: ["stop-sandbox s0"],
  },
  "does not revive a complete pod whose sandbox is gone": {
    spec: never,
    runs: "web=exited:0",
    sandboxes: [lost],
    plan: [],
  },
  "makes a new sandbox for a pod that lost its own": {
    spec: always,
    runs: "web=exited:137",
    sandboxes: [lost],
    plan: ["stop-sandbox s0", "create-sandbox 1"],
  },
  "starts init containers first": { spec: withInit, plan: ["start-container prepare 0"] },
  "waits for an init container": { spec: withInit, runs: "prepare=running", plan: [] },
  "starts a sidecar after it": {
    spec: withInit,
    runs: "prepare=exited:0",
    plan: ["start-container proxy 0"],
  },
  "starts the app once the sidecar has": {
    spec: withInit,
    runs: "prepare=exited:0 proxy=running",
    plan: ["start-container web 0"],
  },
  "holds the app while the sidecar's startup probe has not passed": {
    spec: withInit,
    runs: "prepare=exited:0 proxy=running",
    more: { health: new Map([["proxy-0", { started: false, ready: false }]]) },
    plan: [],
  },
  "restarts a sidecar beside the app": {
    spec: withInit,
    runs: "prepare=exited:0 proxy=exited:1 web=running",
    plan: ["start-container proxy 1"],
  },
  "ends a pod whose init container failed for good": {
    spec: { ...withInit, restartPolicy: "Never" },
    runs: "prepare=exited:2",
    plan: ["stop-sandbox s0"],
  },
  "ends the sidecar after the app": {
    spec: { ...withInit, restartPolicy: "Never" },
    runs: "prepare=exited:0 proxy=running web=exited:0",
    plan: ["stop-container proxy-0: Stopping container proxy"],
  },
  "stops an unhealthy container": {
    spec: always,
    runs: "web=running",
    more: { health: new Map([["web-0", { started: true, ready: false, failed: "Liveness" }]]) },
    plan: ["stop-container web-0: Container web failed liveness probe, will be restarted"],
  },
  "stops the app of a deleted pod before its sidecar": {
    spec: withInit,
    runs: "proxy=running web=running",
    deleted: true,
    plan: ["stop-container web-0: Stopping container web"],
  },
  "then the sandbox": {
    spec: always,
    runs: "web=exited:0",
    deleted: true,
    plan: ["stop-sandbox s0"],
  },
  "and then nothing": {
    spec: always,
    runs: "web=exited:0",
    sandboxes: [lost],
    deleted: true,
    plan: [],
  },
  "restarts by a container's own rule what its policy would let end": {
    spec: ruled("Restart"),
    runs: "prepare=exited:0 web=exited:42 side=exited:1",
    plan: ["start-container web 1"],
  },
  "stops all when one container's end is to restart the pod": {
    spec: ruled("RestartAllContainers"),
    runs: "prepare=exited:0 web=exited:42 side=running",
    plan: ["stop-container side-0: Stopping container side"],
  },
  "then begins anew with all of them": {
    spec: ruled("RestartAllContainers"),
    runs: "prepare=exited:0 web=exited:42 side=exited:137",
    plan: ["begin-anew prepare-0 web-0 side-0"],
  },
  "with the init container first, at once": {
    spec: ruled("RestartAllContainers"),
    runs: "prepare=exited:0 web=exited:42 side=exited:137",
    more: { outdated: new Set(["prepare-0", "web-0", "side-0"]) },
    plan: ["start-container prepare 1"],
  },
  "starts a container at once that was ended for new resources": {
    spec: onFailure,
    runs: "web=exited:0",
    more: { renewed: new Set(["web-0"]), crashDelaysMs: new Map([["web", 60_000]]) },
    plan: ["start-container web 1"],
  },
  "keeps one dead container beside the newest": {
    spec: always,
    runs: "web#3=running web#2=exited:1 web#1=exited:1 web#0=exited:1",
    plan: ["remove-container web-1", "remove-container web-0"],
  },
};

for (const [name, { spec, runs = "", sandboxes = [ready], deleted, more, plan }] of Object.entries(
  cases,
)) {
  test(`planPod() ${name}`, () => {
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "p",
        namespace: "d",
        uid: "u",
        ...(deleted && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      },
      spec,
    };
    const observed: PodObservation = {
      pod,
      nowMs,
      sandboxes,
      containers: containers(runs),
      failures: new Map(),
      crashDelaysMs: new Map(),
      health: new Map(),
      ...more,
    };
    deepEqual(planPod(observed).map(show), plan);
  });
}

function show(action: ReturnType<typeof planPod>[number]): string {
  switch (action.kind) {
    case "create-sandbox":
      return `create-sandbox ${action.attempt}`;
    case "start-container":
      return `start-container ${action.name} ${action.attempt}`;
    case "wait":
      return `wait ${action.name} ${action.untilMs}`;
    case "stop-container":
      return `stop-container ${action.id}: ${action.why}`;
    case "begin-anew":
      return `begin-anew ${action.ids.join(" ")}`;
    default:
      return `${action.kind} ${action.id}`;
  }
}
