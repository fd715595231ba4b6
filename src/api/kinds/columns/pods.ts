import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  containerImages,
  containerNames,
  formatLabels,
  name,
  number,
  objects,
  orNone,
  since,
  text,
  wide,
} from "#api/kinds/columns/cells.ts";

/** `kubectl get pods`: readiness, the one word that says best how the pod is, and restarts. */
export const podColumns: readonly Column[] = [
  name,
  column("Ready", "Containers that are ready, of all that should be", (pod) => {
    const { ready, total } = summaryOf(pod);
    return `${ready}/${total}`;
  }),
  column("Status", "The state of the pod's containers in a word", (pod) => summaryOf(pod).reason),
  column("Restarts", "How often containers were restarted, and when last", (pod, nowMs) => {
    const { restarts, lastRestart } = summaryOf(pod);
    if (restarts === 0 || lastRestart === "") return String(restarts);
    return `${restarts} (${since(lastRestart, nowMs)} ago)`;
  }),
  age,
  wide("IP", "The pod's first address", (pod) => orNone(text(pod, "status", "podIPs", 0, "ip"))),
  wide("Node", "The node the pod is bound to", (pod) => orNone(text(pod, "spec", "nodeName"))),
  wide("Nominated Node", "The node on which preemption makes room", (pod) =>
    orNone(text(pod, "status", "nominatedNodeName")),
  ),
  wide("Readiness Gates", "Further conditions that are true, of all required", readinessGates),
];

/** A pod that has ended is marked, so that clients may hide its row. */
export function podRowConditions(pod: JsonObject): readonly JsonObject[] {
  const phase = text(pod, "status", "phase");
  const message = endMessages.get(phase);
  if (message === undefined) return [];
  return [{ type: "Completed", status: "True", reason: phase, message }];
}

const endMessages = new Map([
  ["Succeeded", "The pod has completed successfully."],
  ["Failed", "The pod failed."],
]);

export const podTemplateColumns: readonly Column[] = [
  name,
  column("Containers", "Names of the template's containers", (object) =>
    containerNames(at(object, "template", "spec")),
  ),
  column("Images", "Images of the template's containers", (object) =>
    containerImages(at(object, "template", "spec")),
  ),
  column("Pod Labels", "Labels the template gives its pods", (object) =>
    formatLabels(at(object, "template", "metadata", "labels")),
  ),
];

interface Summary {
  reason: string;
  ready: number;
  total: number;
  restarts: number;
  /** When a container ended last before it was restarted; "" when none was. */
  lastRestart: string;
}

const summaries = new WeakMap<JsonObject, Summary>();

function summaryOf(pod: JsonObject): Summary {
  let summary = summaries.get(pod);
  if (summary === undefined) {
    summary = summarize(pod);
    summaries.set(pod, summary);
  }
  return summary;
}

function summarize(pod: JsonObject): Summary {
  const sidecars = sidecarNames(pod);
  const summary: Summary = {
    reason: firstReason(pod),
    ready: 0,
    total: objects(pod, "spec", "containers").length + sidecars.size,
    restarts: 0,
    lastRestart: "",
  };
  const isInitializing = countInitContainers(pod, sidecars, summary);
  if (!isInitializing || hasTrueCondition(pod, "Initialized")) {
    countContainers(pod, sidecars, summary);
  }
  if (at(pod, "metadata", "deletionTimestamp") !== undefined) {
    const phase = text(pod, "status", "phase");
    if (text(pod, "status", "reason") === "NodeLost") summary.reason = "Unknown";
    else if (phase !== "Succeeded" && phase !== "Failed") summary.reason = "Terminating";
  }
  return summary;
}

function firstReason(pod: JsonObject): string {
  const isGated = objects(pod, "status", "conditions").some(
    (condition) =>
      text(condition, "type") === "PodScheduled" && text(condition, "reason") === "SchedulingGated",
  );
  if (isGated) return "SchedulingGated";
  return text(pod, "status", "reason") || text(pod, "status", "phase");
}

/** Init containers that keep running beside the others. */
function sidecarNames(pod: JsonObject): ReadonlySet<string> {
  const sidecars = objects(pod, "spec", "initContainers").filter(
    (container) => text(container, "restartPolicy") === "Always",
  );
  return new Set(sidecars.map((container) => text(container, "name")));
}

/** True while an init container has yet to end or failed; `reason` then says which. */
function countInitContainers(
  pod: JsonObject,
  sidecars: ReadonlySet<string>,
  summary: Summary,
): boolean {
  const statuses = objects(pod, "status", "initContainerStatuses");
  for (const [position, status] of statuses.entries()) {
    countRestarts(status, summary);
    const ended = at(status, "state", "terminated");
    if (ended !== undefined && number(ended, "exitCode") === 0) continue;
    if (sidecars.has(text(status, "name")) && at(status, "started") === true) {
      if (at(status, "ready") === true) summary.ready++;
      continue;
    }
    const total = objects(pod, "spec", "initContainers").length;
    summary.reason = `Init:${initReason(status) ?? `${position}/${total}`}`;
    return true;
  }
  return false;
}

function initReason(status: JsonObject): string | undefined {
  if (at(status, "state", "terminated") !== undefined) return endReason(status);
  const waiting = text(status, "state", "waiting", "reason");
  return waiting === "" || waiting === "PodInitializing" ? undefined : waiting;
}

function countContainers(pod: JsonObject, sidecars: ReadonlySet<string>, summary: Summary): void {
  summary.restarts = 0;
  summary.lastRestart = "";
  for (const status of objects(pod, "status", "initContainerStatuses")) {
    if (sidecars.has(text(status, "name"))) countRestarts(status, summary);
  }
  let hasRunning = false;
  for (const status of objects(pod, "status", "containerStatuses").toReversed()) {
    countRestarts(status, summary);
    const waiting = text(status, "state", "waiting", "reason");
    if (waiting !== "") summary.reason = waiting;
    else if (at(status, "state", "terminated") !== undefined) summary.reason = endReason(status);
    else if (at(status, "ready") === true && at(status, "state", "running") !== undefined) {
      hasRunning = true;
      summary.ready++;
    }
  }
  if (summary.reason === "Completed" && hasRunning) {
    summary.reason = hasTrueCondition(pod, "Ready") ? "Running" : "NotReady";
  }
}

function countRestarts(status: JsonObject, summary: Summary): void {
  summary.restarts += number(status, "restartCount");
  const endedAt = text(status, "lastState", "terminated", "finishedAt");
  if (endedAt > summary.lastRestart) summary.lastRestart = endedAt;
}

function endReason(status: JsonObject): string {
  const ended = at(status, "state", "terminated");
  const reason = text(ended, "reason");
  if (reason !== "") return reason;
  const signal = number(ended, "signal");
  return signal === 0 ? `ExitCode:${number(ended, "exitCode")}` : `Signal:${signal}`;
}

function hasTrueCondition(pod: JsonObject, type: string): boolean {
  const condition = objects(pod, "status", "conditions").find((one) => text(one, "type") === type);
  return text(condition, "status") === "True";
}

function readinessGates(pod: JsonObject): string {
  const gates = objects(pod, "spec", "readinessGates");
  const open = gates.filter((gate) => hasTrueCondition(pod, text(gate, "conditionType")));
  return orNone(gates.length === 0 ? "" : `${open.length}/${gates.length}`);
}
