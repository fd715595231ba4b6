import type { Container, Pod, ResourceRequirements } from "#api/generated/types.ts";
import { oldStatus } from "#agent/pods/container-status.ts";
import { findContainer, podContainers } from "#agent/pods/pod-containers.ts";
import type { ResizeState } from "#agent/pods/pod-observation.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

/** What the node says to resources that a pod is to have from now on. */
export type ResizeAnswer =
  | { readonly kind: "fits" }
  | {
      readonly kind: "refused";
      readonly reason: "Deferred" | "Infeasible";
      readonly message: string;
    };

/** A running container that has other resources than it is to have. */
export interface PendingChange {
  readonly container: Container;
  readonly state: ContainerState;
  readonly needsRestart: boolean;
}

/**
 * Three sets of resources: those that the object asks for, those the node has granted (`allocatedResources`), and those
 * that containers run with. Everything but the wish is done with what is granted, so the rest of the agent sees a pod
 * whose spec has that.
 */
export class ResizeKeeper {
  readonly #granted = new Map<string, ResourceRequirements>();
  readonly #actual = new Map<string, ResourceRequirements>();
  #pending: ResizeState["pending"];
  #inProgress: ResizeState["inProgress"];

  get state(): ResizeState {
    return {
      actual: this.#actual,
      ...(this.#pending && { pending: this.#pending }),
      ...(this.#inProgress && { inProgress: this.#inProgress }),
    };
  }

  /** The pod with the resources that are granted; at first, those its status tells, or what it asks for. */
  granted(pod: Pod): Pod {
    const { spec } = pod;
    if (spec === undefined) return pod;
    let changed = false;
    const give = (container: Container): Container => {
      const resources = this.#grantedTo(pod, container);
      if (isSame(resources, container.resources ?? {})) return container;
      changed = true;
      return { ...container, resources };
    };
    const containers = spec.containers.map(give);
    const initContainers = spec.initContainers?.map(give);
    if (!changed) return pod;
    return { ...pod, spec: { ...spec, containers, ...(initContainers && { initContainers }) } };
  }

  /** Whether the object asks for something else than what is granted. */
  differs(pod: Pod): boolean {
    return this.granted(pod) !== pod;
  }

  answer(pod: Pod, answer: ResizeAnswer): void {
    const { kind: _, ...pending } = answer;
    this.#pending = "reason" in pending ? pending : undefined;
    if (answer.kind !== "fits") return;
    for (const { spec } of podContainers(pod)) this.#granted.set(spec.name, spec.resources ?? {});
    this.#inProgress = {};
  }

  /** The wish was taken back before it was granted. */
  settle(): void {
    this.#pending = undefined;
  }

  /** The running containers to change; `pod` is that of `granted()`. */
  changes(pod: Pod, containers: readonly ContainerState[]): readonly PendingChange[] {
    const running = containers.filter(({ state }) => state === "running");
    const changes = running.flatMap((state): PendingChange[] => {
      const container = findContainer(pod, state.name)?.spec;
      if (container === undefined) return [];
      const actual = this.#actualOf(pod, state);
      const wanted = container.resources ?? {};
      if (isSame(actual, wanted)) return [];
      return [{ container, state, needsRestart: needsRestart(container, actual, wanted) }];
    });
    if (changes.length === 0) this.#inProgress = undefined;
    return changes;
  }

  /** A container runs with these resources from now on. */
  done(containerId: string, resources: ResourceRequirements): void {
    this.#actual.set(containerId, resources);
  }

  failed(message: string): void {
    this.#inProgress = { reason: "Error", message };
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

  #actualOf(pod: Pod, state: ContainerState): ResourceRequirements {
    const known = this.#actual.get(state.id);
    if (known) return known;
    const told = oldStatus(pod, state.name);
    const isSameRun = told?.containerID?.endsWith(`//${state.id}`);
    const actual =
      (isSameRun ? told?.resources : undefined) ??
      findContainer(pod, state.name)?.spec.resources ??
      {};
    this.#actual.set(state.id, actual);
    return actual;
  }
}

const resizable = ["cpu", "memory"] as const;

/** Only processors and memory can change; claims and the order of keys say nothing. */
function isSame(left: ResourceRequirements, right: ResourceRequirements): boolean {
  return (["requests", "limits"] as const).every((kind) =>
    resizable.every((name) => left[kind]?.[name] === right[kind]?.[name]),
  );
}

function needsRestart(
  { resizePolicy = [] }: Container,
  before: ResourceRequirements,
  after: ResourceRequirements,
): boolean {
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === "RestartContainer" &&
      (before.requests?.[resourceName] !== after.requests?.[resourceName] ||
        before.limits?.[resourceName] !== after.limits?.[resourceName]),
  );
}
