import type { ContainerState as ApiState, ContainerStatus, Pod } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import { isRestarted, type PodContainer } from "#agent/pods/pod-containers.ts";
import {
  healthOf,
  isTerminal,
  isTerminating,
  newestOf,
  type PodObservation,
} from "#agent/pods/pod-observation.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

/** One entry of `status.containerStatuses` and its siblings, as kubelet fills them. `runtimeName` is `containerd`. */
export function containerStatus(
  observed: PodObservation,
  container: PodContainer,
  runtimeName: string,
): ContainerStatus {
  const { spec } = container;
  const newest = newestOf(observed, spec.name);
  const old = oldStatus(observed.pod, spec.name);
  if (newest === undefined) return withoutContainer(observed, container, old);
  const previous = observed.containers.find(
    (other) => other.name === spec.name && other.id !== newest.id && other.state === "exited",
  );
  const waiting = waitingState(observed, container, newest);
  const last = waiting && newest.state === "exited" ? newest : previous;
  const running = newest.state === "running";
  const health = healthOf(observed, newest);
  const completed = container.role === "init" && newest.state === "exited" && newest.exitCode === 0;
  return {
    allocatedResources: spec.resources?.requests,
    ...deviceStatus(observed, container),
    containerID: `${runtimeName}://${newest.id}`,
    image: newest.image,
    imageID: newest.imageId,
    lastState: last ? { terminated: terminated(last, runtimeName) } : (old?.lastState ?? {}),
    name: spec.name,
    ready: completed || (container.role !== "init" && running && health.started && health.ready),
    resources: observed.resize?.actual.get(newest.id) ?? spec.resources ?? {},
    restartCount: newest.attempt,
    started: running && health.started,
    state: waiting ?? runtimeState(newest, runtimeName),
    ...(spec.lifecycle?.stopSignal && { stopSignal: spec.lifecycle.stopSignal }),
    volumeMounts: mountStatuses(container),
  } as ContainerStatus;
}

function deviceStatus(
  { devices, claims, pod }: PodObservation,
  { spec, role }: PodContainer,
): Pick<ContainerStatus, "allocatedResourcesStatus"> {
  const status = [
    ...(devices?.statusOf(pod.metadata.uid ?? "", spec.name) ?? []),
    ...((role === "app" && claims?.statusOf(pod, spec)) || []),
  ];
  return status.length === 0 ? {} : { allocatedResourcesStatus: status };
}

export function oldStatus(pod: Pod, name: string): ContainerStatus | undefined {
  const { status } = pod;
  return [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find((candidate) => candidate.name === name);
}

function withoutContainer(
  observed: PodObservation,
  container: PodContainer,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const { spec } = container;
  if (old?.containerID && old.state?.terminated) return old;
  const restartCount = old?.restartCount ?? 0;
  if (old?.containerID && (old.state?.running || isTerminating(observed.pod))) {
    const state = { terminated: { ...lostContainer, containerID: old.containerID } };
    return { ...old, ready: false, started: false, restartCount, state };
  }
  return {
    image: spec.image ?? "",
    imageID: "",
    lastState: old?.lastState ?? {},
    name: spec.name,
    ready: false,
    restartCount,
    started: false,
    state: { waiting: firstWaiting(observed, container) },
    volumeMounts: mountStatuses(container),
  };
}

const lostContainer = {
  reason: "ContainerStatusUnknown",
  message: "The container could not be located when the pod was terminated",
  exitCode: 137,
};

function firstWaiting(
  observed: PodObservation,
  { spec }: PodContainer,
): NonNullable<ApiState["waiting"]> {
  const failure = observed.failures.get(spec.name);
  if (failure) return { reason: failure.reason, message: failure.message };
  const initialises = (observed.pod.spec?.initContainers?.length ?? 0) > 0;
  return { reason: initialises ? "PodInitializing" : "ContainerCreating" };
}

/** A container that ended and will run again waits, once its back-off has begun or a start failed. */
function waitingState(
  observed: PodObservation,
  container: PodContainer,
  newest: ContainerState,
): ApiState | undefined {
  const { spec } = container;
  const failure = observed.failures.get(spec.name);
  if (newest.state === "running") return undefined;
  if (failure) return { waiting: { reason: failure.reason, message: failure.message } };
  if (newest.state === "created") return { waiting: { reason: "ContainerCreating" } };
  const { pod } = observed;
  if (isTerminating(pod) || isTerminal(pod) || observed.ended) return undefined;
  if (!isRestarted(pod, container, newest.exitCode)) return undefined;
  const delayMs = observed.crashDelaysMs.get(spec.name) ?? 0;
  if (newest.finishedMs + delayMs <= observed.nowMs) return undefined;
  return {
    waiting: { reason: "CrashLoopBackOff", message: crashMessage(pod, spec.name, delayMs) },
  };
}

/** `back-off 40s restarting failed container=web pod=web-1_default(uid)`. */
export function crashMessage(pod: Pod, container: string, delayMs: number): string {
  const { name, namespace, uid } = pod.metadata;
  return `back-off ${goSeconds(delayMs)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}

/** Whole seconds as Go prints a duration: `40s`, `2m40s`, `5m0s`. */
export function goSeconds(timeMs: number): string {
  const seconds = Math.round(timeMs / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function runtimeState(container: ContainerState, runtimeName: string): ApiState {
  if (container.state === "running") {
    return { running: { startedAt: rfc3339(container.startedMs) } };
  }
  return { terminated: terminated(container, runtimeName) };
}

function terminated(
  container: ContainerState,
  runtimeName: string,
): NonNullable<ApiState["terminated"]> {
  return {
    containerID: `${runtimeName}://${container.id}`,
    exitCode: container.exitCode,
    ...(container.finishedMs > 0 && { finishedAt: rfc3339(container.finishedMs) }),
    ...(container.message !== "" && { message: container.message }),
    reason: container.reason || (container.exitCode === 0 ? "Completed" : "Error"),
    startedAt: rfc3339(container.startedMs),
  };
}

function mountStatuses({ spec }: PodContainer): ContainerStatus["volumeMounts"] {
  if (!spec.volumeMounts?.length) return undefined;
  return spec.volumeMounts.map(({ name, mountPath, readOnly }) => ({
    name,
    mountPath,
    ...(readOnly && { readOnly, recursiveReadOnly: "Disabled" }),
  }));
}
