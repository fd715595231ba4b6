import type { ContainerStatus, Pod, PodCondition, PodStatus } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import { containerStatus } from "#agent/pods/container-status.ts";
import { isRestarted, podContainers } from "#agent/pods/pod-containers.ts";
import {
  isTerminal,
  isTerminating,
  newestOf,
  type PodObservation,
} from "#agent/pods/pod-observation.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";
import { wholeRequests, wholeResources } from "#agent/pods/whole-resources.ts";

export interface NodeFacts {
  /** The node's addresses that pods of the host's network have, the primary first. */
  readonly hostIps: readonly string[];
  /** The name in container ids: `containerd`. */
  readonly runtimeName: string;
}

/** The whole `status` the node writes, from what is observed and the conditions that others wrote. */
export function podStatus(observed: PodObservation, node: NodeFacts): PodStatus {
  const { pod } = observed;
  const all = podContainers(pod);
  const messageBytesMax = Math.floor(messagesBytesMax / Math.max(1, all.length));
  const statuses = all.map((container) => ({
    role: container.role,
    status: shortened(containerStatus(observed, container, node.runtimeName), messageBytesMax),
  }));
  const init = statuses.filter(({ role }) => role === "init" || role === "sidecar");
  const apps = statuses.filter(({ role }) => role === "app").map(({ status }) => status);
  const ephemeral = statuses.filter(({ role }) => role === "ephemeral");
  const phase = phaseOf(observed);
  const ips = podIps(observed, node);
  // The last word is said when nothing runs any more, as upstream: until then the pod may still hold what it has.
  const ended = phase === "Failed" ? observed.ended : undefined;
  const allocatedResources = wholeRequests(pod);
  return {
    ...(Object.keys(allocatedResources).length > 0 && { allocatedResources }),
    conditions: conditionsOf({ observed, phase, init, apps }),
    ...(apps.length > 0 && { containerStatuses: apps }),
    ...(ephemeral.length > 0 && {
      ephemeralContainerStatuses: ephemeral.map(({ status }) => status),
    }),
    ...(node.hostIps[0] && { hostIP: node.hostIps[0] }),
    hostIPs: node.hostIps.map((ip) => ({ ip })),
    ...(init.length > 0 && { initContainerStatuses: init.map(({ status }) => status) }),
    ...(pod.metadata.generation && { observedGeneration: pod.metadata.generation }),
    phase,
    ...(ended ? { reason: ended.reason, message: ended.message } : keptReason(pod)),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
    resources: wholeResources(pod, observed.resize?.held),
    startTime: pod.status?.startTime ?? rfc3339(observed.nowMs),
  };
}

/** What the last words of all of a pod's containers may have together, as upstream. */
const messagesBytesMax = 12 * 1024;

function shortened(status: ContainerStatus, bytesMax: number): ContainerStatus {
  const cut = (state: ContainerStatus["state"]): ContainerStatus["state"] => {
    const message = state?.terminated?.message;
    if (!message || Buffer.byteLength(message) <= bytesMax) return state;
    const short = Buffer.from(message).subarray(0, bytesMax).toString();
    return { ...state, terminated: { ...state.terminated, message: short } };
  };
  const { state, lastState } = status;
  return {
    ...status,
    ...(state && { state: cut(state) }),
    ...(lastState && { lastState: cut(lastState) }),
  };
}

function keptReason(pod: Pod): Pick<PodStatus, "reason" | "message"> {
  if (!isTerminal(pod)) return {};
  const { reason, message } = pod.status ?? {};
  return { ...(reason && { reason }), ...(message && { message }) };
}

function podIps(observed: PodObservation, node: NodeFacts): readonly string[] {
  const [sandbox] = observed.sandboxes;
  if (observed.pod.spec?.hostNetwork) return sandbox ? node.hostIps : [];
  if (sandbox?.state === "ready") return sandbox.ips;
  return (observed.pod.status?.podIPs ?? []).map(({ ip }) => ip ?? "").filter(Boolean);
}

/** Upstream's rules; a pod that ended stays ended. */
export function phaseOf(observed: PodObservation): string {
  const { pod } = observed;
  if (isTerminal(pod)) return pod.status?.phase ?? "Failed";
  if (observed.ended) return isRunning(observed) ? (pod.status?.phase ?? "Pending") : "Failed";
  const containers = podContainers(pod);
  const newest = containers.map((container) => ({
    container,
    state: newestOf(observed, container.spec.name),
  }));
  const failedInit = newest.some(
    ({ container, state }) =>
      container.role === "init" &&
      state?.state === "exited" &&
      state.exitCode !== 0 &&
      !isRestarted(pod, container, state.exitCode),
  );
  if (failedInit) return "Failed";
  const apps = newest.filter(({ container }) => container.role === "app");
  const begun = apps.filter(({ state }) => state && state.state !== "created");
  if (begun.length < apps.length) return endsUnstarted(observed, apps.length, begun.length);
  const ended = apps.filter(
    ({ container, state }) =>
      state?.state === "exited" &&
      (isTerminating(pod) || !isRestarted(pod, container, state.exitCode)),
  );
  if (ended.length < apps.length) return "Running";
  const sidecarRuns = newest.some(
    ({ container, state }) => container.role === "sidecar" && state?.state === "running",
  );
  if (sidecarRuns) return "Running";
  return ended.every(({ state }) => state?.exitCode === 0) ? "Succeeded" : "Failed";
}

function isRunning({ containers }: PodObservation): boolean {
  return containers.some(({ state }) => state === "running");
}

/** A deleted pod that never ran, or lost its containers, ends as Failed once nothing of it is left. */
function endsUnstarted(observed: PodObservation, wanted: number, begun: number): string {
  if (!isTerminating(observed.pod) || observed.sandboxes.some(({ state }) => state === "ready")) {
    return begun > 0 && wanted > 0 && observed.pod.status?.phase === "Running"
      ? "Running"
      : (observed.pod.status?.phase ?? "Pending");
  }
  return "Failed";
}

interface ConditionParts {
  readonly observed: PodObservation;
  readonly phase: string;
  readonly init: readonly { readonly role: string; readonly status: ContainerStatus }[];
  readonly apps: readonly ContainerStatus[];
}

type Outcome = Pick<PodCondition, "status" | "reason" | "message" | "observedGeneration">;

/** Those the node owns, in upstream's order, after those that others wrote. */
function conditionsOf(parts: ConditionParts): readonly PodCondition[] {
  const { observed } = parts;
  const { pod } = observed;
  const old = pod.status?.conditions ?? [];
  const ready = containersReady(parts);
  const hasSandbox = observed.sandboxes[0]?.state === "ready";
  const own: readonly (readonly [string, Outcome])[] = [
    ["PodReadyToStartContainers", { status: hasSandbox ? "True" : "False" }],
    ["Initialized", initialized(parts)],
    ["Ready", podReady(pod, ready)],
    ["ContainersReady", ready],
    ["PodScheduled", { status: "True" }],
    ...disruptionOf(observed),
    ...resizeConditions(observed),
  ];
  const others = old.filter(
    ({ type }) => !own.some(([mine]) => mine === type) && !passing.has(type),
  );
  return [
    ...others,
    ...own.map(([type, outcome]) => {
      const before = old.find((condition) => condition.type === type);
      const changed =
        before?.status !== outcome.status ||
        (passing.has(type) && (before.reason ?? "") !== (outcome.reason ?? ""));
      const lastTransitionTime = changed ? rfc3339(observed.nowMs) : before?.lastTransitionTime;
      return {
        type,
        ...(pod.metadata.generation && { observedGeneration: pod.metadata.generation }),
        ...outcome,
        lastProbeTime: null,
        lastTransitionTime,
      } as unknown as PodCondition;
    }),
  ];
}

/** Conditions that are there only while they are true. */
const passing: ReadonlySet<string> = new Set(["PodResizePending", "PodResizeInProgress"]);

function resizeConditions({ resize }: PodObservation): readonly (readonly [string, Outcome])[] {
  const { pending, inProgress } = resize ?? {};
  const status = "True";
  const conditions: (readonly [string, Outcome])[] = [];
  if (pending) {
    const { sinceMs: _, ...rest } = pending;
    conditions.push(["PodResizePending", { status, ...rest }]);
  }
  if (inProgress) conditions.push(["PodResizeInProgress", { status, ...inProgress }]);
  return conditions;
}

function disruptionOf({ ended }: PodObservation): readonly [string, Outcome][] {
  return ended?.disruption ? [["DisruptionTarget", { status: "True", ...ended.disruption }]] : [];
}

function initialized({ observed, phase, init, apps }: ConditionParts): Outcome {
  if (phase === "Succeeded") return { status: "True", reason: "PodCompleted" };
  const begun = apps.some(({ state }) => state?.running ?? state?.terminated);
  if (begun) return { status: "True" };
  const incomplete = init
    .filter(({ role, status }) => (role === "sidecar" ? !status.started : !status.ready))
    .map(({ status }) => status.name);
  if (incomplete.length === 0) return { status: "True" };
  if (phase === "Failed" && observed.pod.status?.phase === "Failed") {
    return { status: "False", reason: "PodFailed" };
  }
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${incomplete.join(" ")}]`,
  };
}

function containersReady({ phase, init, apps }: ConditionParts): Outcome {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  const sidecars = init.filter(({ role }) => role === "sidecar").map(({ status }) => status);
  const unready = [...sidecars, ...apps].filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: [${unready.join(" ")}]`,
  };
}

function podReady(pod: Pod, ready: Outcome): Outcome {
  if (ready.status !== "True") return ready;
  const conditions = pod.status?.conditions ?? [];
  const messages = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = conditions.find(({ type }) => type === conditionType);
    if (condition?.status === "True") return [];
    return condition
      ? [
          `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`,
        ]
      : [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
  });
  if (messages.length === 0) return { status: "True" };
  return { status: "False", reason: "ReadinessGatesNotReady", message: messages.join(", ") };
}
