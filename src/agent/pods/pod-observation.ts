import type { Pod, ResourceRequirements } from "#api/generated/types.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import type { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";
import type { ContainerState, Sandbox } from "#agent/runtime/container-runtime.ts";

/** All that a plan and a status are made from: what is wanted, what runs, and what was learnt by trying. */
export interface PodObservation {
  readonly pod: Pod;
  readonly nowMs: number;
  /** The pod's sandboxes, the newest first. */
  readonly sandboxes: readonly Sandbox[];
  /** The pod's containers, the newest start of each name first. */
  readonly containers: readonly ContainerState[];
  /** The last attempt to start, by container name, where it failed and was not overtaken by a success. */
  readonly failures: ReadonlyMap<string, StartFailure>;
  /** How long a container that ended must wait after its end, by name. Absent: not at all. */
  readonly crashDelaysMs: ReadonlyMap<string, number>;
  /** What probes found, by container id. */
  readonly health: ReadonlyMap<string, ContainerHealth>;
  /** Containers, by id, that were ended to be started anew: whatever their exit code, and at once. */
  readonly renewed?: ReadonlySet<string>;
  /** Containers, by id, from before all of the pod began anew: its init containers run again too. */
  readonly outdated?: ReadonlySet<string>;
  readonly resize?: ResizeState;
  /** Knows how well the devices of containers are. */
  readonly devices?: Pick<DeviceManager, "statusOf">;
  /** Knows how well the devices of containers' claims are. */
  readonly claims?: Pick<DynamicResources, "statusOf">;
  /** Why the pod must end although its object stays: eviction, a deadline, a refused admission. */
  readonly ended?: PodEnd;
}

/** How far a change of resources has got, as conditions and statuses show it. */
export interface ResizeState {
  /** What containers run with, by their ids. */
  readonly actual: ReadonlyMap<string, ResourceRequirements>;
  /** Processors and memory that the pod's control group is held to; undefined before there is one. */
  readonly held?: ResourceRequirements;
  /** `observedGeneration` is that whose resources are meant. */
  readonly pending?: {
    readonly reason: string;
    readonly message: string;
    readonly observedGeneration: number;
    readonly sinceMs: number;
  };
  readonly inProgress?: {
    readonly reason?: string;
    readonly message?: string;
    readonly observedGeneration: number;
  };
}

export interface StartFailure {
  /** As `state.waiting` shows it: `ImagePullBackOff`. */
  readonly reason: string;
  readonly message: string;
  readonly retryMs: number;
}

export interface ContainerHealth {
  /** Passed its startup probe, or has none. */
  readonly started: boolean;
  readonly ready: boolean;
  /** The probe that failed for good: the container must be restarted. */
  readonly failed?: "Liveness" | "Startup";
}

export interface PodEnd {
  readonly reason: string;
  readonly message: string;
  /** It was never taken. */
  readonly isRefusal?: boolean;
  /** What its containers get to end by themselves, if that is less than the pod's own grace period. */
  readonly graceSeconds?: number;
  /** Shown as the condition `DisruptionTarget`: it was no fault of the pod's. */
  readonly disruption?: { readonly reason: string; readonly message: string };
}

export const goneEnd: PodEnd = { reason: "Deleted", message: "the pod's object is gone" };

/** Until the pod must end because it ran for as long as it may; Infinity: it may run for ever. */
export function deadlineLeftMs({ spec, status }: Pod, nowMs: number): number {
  const { activeDeadlineSeconds = Infinity } = spec ?? {};
  return status?.startTime === undefined
    ? Infinity
    : Date.parse(status.startTime) + activeDeadlineSeconds * 1000 - nowMs;
}

export const healthyContainer: ContainerHealth = { started: true, ready: true };

export function newestOf(
  observed: Pick<PodObservation, "containers">,
  name: string,
): ContainerState | undefined {
  return observed.containers.find((container) => container.name === name);
}

export function healthOf(observed: PodObservation, container: ContainerState): ContainerHealth {
  return observed.health.get(container.id) ?? healthyContainer;
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Whether the pod's last word was said: such a pod never runs again. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}
