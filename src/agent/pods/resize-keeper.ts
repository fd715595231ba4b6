import type { Container, Pod, ResourceRequirements } from "#api/generated/types.ts";
import { readAmounts } from "#api/quota/amounts.ts";
import { containerLimits } from "#agent/pods/container-resources.ts";
import { oldStatus } from "#agent/pods/container-status.ts";
import { findContainer, podContainers } from "#agent/pods/pod-containers.ts";
import type { ResizeState } from "#agent/pods/pod-observation.ts";
import type { WaitingResize } from "#agent/pods/resize-order.ts";
import { type ResizeAnswer, toldConditions, toldWhole } from "#agent/pods/resize-told.ts";
import { heldResources } from "#agent/pods/whole-resources.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

/** What must be done for running containers, and the group they are in, to have what was granted. */
export interface PendingChanges {
  readonly containers: readonly PendingChange[];
  /** Whether the pod as a whole is held to something else. */
  readonly whole: boolean;
}

/** A running container that has other resources than it is to have. */
export interface PendingChange {
  readonly container: Container;
  readonly state: ContainerState;
  readonly needsRestart: boolean;
  /** What it runs with, the whole pod's limits included where it has none of its own. */
  readonly actual: ResourceRequirements;
}

/** What a container has: as its status tells it, and as its control group has it. */
interface Actual {
  readonly told: ResourceRequirements;
  readonly applied: ResourceRequirements;
}

/**
 * Three sets of resources: those that the object asks for, those the node has granted (`allocatedResources`), and those
 * that containers run with. Everything but the wish is done with what is granted, so the rest of the agent sees a pod
 * whose spec has that.
 */
export class ResizeKeeper {
  readonly #granted = new Map<string, ResourceRequirements>();
  readonly #actual = new Map<string, Actual>();
  /** Granted to the pod as a whole; null: nothing was asked for it. */
  #whole: ResourceRequirements | null | undefined;
  /** What the pod's control group is held to; undefined before there is one. */
  #held: ResourceRequirements | undefined;
  #pending: ResizeState["pending"];
  #inProgress: ResizeState["inProgress"];

  /** Goes on from what a pod's status tells. */
  constructor(pod: Pod) {
    const { pending, inProgress, held } = toldConditions(pod);
    this.#pending = pending;
    this.#inProgress = inProgress;
    this.#held = held;
  }

  get state(): ResizeState {
    const actual = [...this.#actual].map(([id, { told }]) => [id, told] as const);
    return {
      actual: new Map(actual),
      ...(this.#held && { held: this.#held }),
      ...(this.#pending && { pending: this.#pending }),
      ...(this.#inProgress && { inProgress: this.#inProgress }),
    };
  }

  /** The pod with the resources that are granted; at first, those its status tells, or what it asks for. */
  granted(pod: Pod): Pod {
    const { spec } = pod;
    if (spec === undefined) return pod;
    if (this.#whole === undefined) this.#whole = toldWhole(pod) ?? spec.resources ?? null;
    let changed = !isSame(this.#whole ?? {}, spec.resources ?? {});
    const give = (container: Container): Container => {
      const resources = this.#grantedTo(pod, container);
      if (isSame(resources, container.resources ?? {})) return container;
      changed = true;
      return { ...container, resources };
    };
    const containers = spec.containers.map(give);
    const initContainers = spec.initContainers?.map(give);
    if (!changed) return pod;
    const { resources: _, ...rest } = spec;
    const whole = this.#whole && { resources: this.#whole };
    return {
      ...pod,
      spec: { ...rest, ...whole, containers, ...(initContainers && { initContainers }) },
    };
  }

  /** Whether the object asks for something else than what is granted. */
  differs(pod: Pod): boolean {
    return this.granted(pod) !== pod;
  }

  /** What waits for room. */
  waiting(pod: Pod): WaitingResize | undefined {
    const { reason, sinceMs = 0 } = this.#pending ?? {};
    return reason === "Deferred" ? { pod, granted: this.granted(pod), sinceMs } : undefined;
  }

  answer(pod: Pod, answer: ResizeAnswer, nowMs: number): void {
    const observedGeneration = pod.metadata.generation ?? 0;
    if (answer.kind === "refused") {
      const { reason, message } = answer;
      const sinceMs = this.#pending?.reason === reason ? this.#pending.sinceMs : nowMs;
      this.#pending = { reason, message, observedGeneration, sinceMs };
      return;
    }
    this.#pending = undefined;
    for (const { spec } of podContainers(pod)) this.#granted.set(spec.name, spec.resources ?? {});
    this.#whole = pod.spec?.resources ?? null;
    this.#inProgress = { observedGeneration };
  }

  /** The wish was taken back before it was granted. */
  settle(): void {
    this.#pending = undefined;
  }

  /** What is to change; `pod` is that of `granted()`. */
  changes(pod: Pod, containers: readonly ContainerState[]): PendingChanges {
    const running = containers.filter(({ state }) => state === "running");
    const changes = running.flatMap((state): PendingChange[] => {
      const container = findContainer(pod, state.name)?.spec;
      if (container === undefined) return [];
      const { applied } = this.#actualOf(pod, state);
      const wanted = effective(pod, container);
      if (isSame(applied, wanted)) return [];
      const isRestarted = needsRestart(container, applied, wanted);
      return [{ container, state, needsRestart: isRestarted, actual: applied }];
    });
    this.#held ??= heldResources(pod);
    return { containers: changes, whole: !isSame(this.#held, heldResources(pod)) };
  }

  /** Something is being changed. */
  begin(pod: Pod): void {
    this.#inProgress ??= { observedGeneration: pod.metadata.generation ?? 0 };
  }

  /** Nothing is left to change: the generation whose resources the pod has now, if any was under way. */
  finish(): number | undefined {
    const generation = this.#inProgress?.observedGeneration;
    this.#inProgress = undefined;
    return generation;
  }

  /** A container runs with these resources from now on. */
  done(containerId: string, pod: Pod, container: Container): void {
    const told = container.resources ?? {};
    this.#actual.set(containerId, { told, applied: effective(pod, container) });
  }

  /** The pod's control group is held to what was granted from now on. */
  hold(pod: Pod): void {
    this.#held = heldResources(pod);
  }

  /** Answers whether that is news. */
  failed(pod: Pod, message: string): boolean {
    const isNew = this.#inProgress?.message !== message;
    const observedGeneration = this.#inProgress?.observedGeneration ?? pod.metadata.generation ?? 0;
    this.#inProgress = { reason: "Error", message, observedGeneration };
    return isNew;
  }

  forget(containerId: string): void {
    this.#actual.delete(containerId);
  }

  #grantedTo(pod: Pod, container: Container): ResourceRequirements {
    const known = this.#granted.get(container.name);
    if (known) return known;
    const told = oldStatus(pod, container.name);
    const { claims } = container.resources ?? {};
    const granted: ResourceRequirements =
      told?.containerID && told.allocatedResources
        ? {
            requests: told.allocatedResources,
            ...(told.resources?.limits && { limits: told.resources.limits }),
            ...(claims && { claims }),
          }
        : (container.resources ?? {});
    this.#granted.set(container.name, granted);
    return granted;
  }

  #actualOf(pod: Pod, state: ContainerState): Actual {
    const known = this.#actual.get(state.id);
    if (known) return known;
    const container = findContainer(pod, state.name)?.spec ?? { name: state.name };
    const status = oldStatus(pod, state.name);
    const isSameRun = status?.containerID?.endsWith(`//${state.id}`);
    const told = (isSameRun ? status?.resources : undefined) ?? container.resources ?? {};
    const actual = { told, applied: effective(pod, { ...container, resources: told }) };
    this.#actual.set(state.id, actual);
    return actual;
  }
}

const resizable = ["cpu", "memory"] as const;

/** A container's resources with the whole pod's limits where it has none of its own. */
function effective(pod: Pod, container: Container): ResourceRequirements {
  return { ...container.resources, limits: containerLimits(pod, container) };
}

/** Only processors and memory can change; claims, the order of keys and how amounts are written say nothing. */
function isSame(left: ResourceRequirements, right: ResourceRequirements): boolean {
  return resizable.every((name) => isSameOf(name, left, right));
}

function isSameOf(
  name: (typeof resizable)[number],
  left: ResourceRequirements,
  right: ResourceRequirements,
): boolean {
  return (["requests", "limits"] as const).every((side) => {
    const [one, other] = [readAmounts(left[side]).get(name), readAmounts(right[side]).get(name)];
    return one?.nano === other?.nano;
  });
}

function needsRestart(
  { resizePolicy = [] }: Container,
  before: ResourceRequirements,
  after: ResourceRequirements,
): boolean {
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" &&
      resizable.some((name) => name === resourceName && !isSameOf(name, before, after)),
  );
}
