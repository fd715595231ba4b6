import type { ContainerState, Sandbox } from "#agent/runtime/container-runtime.ts";
import { oldStatus } from "#agent/pods/container-status.ts";
import {
  isRestarted,
  type PodContainer,
  podContainers,
  restartsAll,
} from "#agent/pods/pod-containers.ts";
import {
  healthOf,
  isTerminal,
  isTerminating,
  newestOf,
  type PodObservation,
} from "#agent/pods/pod-observation.ts";

/** One step towards what the pod's spec asks for. */
export type PodAction =
  | { readonly kind: "create-sandbox"; readonly attempt: number }
  | { readonly kind: "stop-sandbox"; readonly id: string }
  | { readonly kind: "remove-sandbox"; readonly id: string }
  | { readonly kind: "start-container"; readonly name: string; readonly attempt: number }
  | {
      readonly kind: "stop-container";
      readonly id: string;
      readonly name: string;
      /** The end of the `Killing` event's text. */
      readonly why: string;
      readonly probe?: "Liveness" | "Startup";
    }
  | { readonly kind: "remove-container"; readonly id: string }
  /** All that these containers were is over: the pod's containers start again from the first one. */
  | { readonly kind: "begin-anew"; readonly ids: readonly string[] }
  /** Not before `untilMs`: it crashed (`crashed`), or could not be started. */
  | {
      readonly kind: "wait";
      readonly name: string;
      readonly untilMs: number;
      readonly crashed: boolean;
    };

/**
 * What to do now, from state alone; the order of the actions is the order of doing. Empty: all is as it should be.
 * Containers are started one after another (init containers, then sidecars and the others), and stopped together.
 */
export function planPod(observed: PodObservation): readonly PodAction[] {
  const end = endReason(observed);
  if (end !== undefined) return planEnd(observed, end);
  const sandbox = observed.sandboxes[0];
  if (sandbox?.state !== "ready") return planSandbox(observed);
  const anew = planAnew(observed, sandbox);
  if (anew.length > 0) return anew;
  return [...planContainers(observed, sandbox), ...planGarbage(observed)];
}

/** Whether nothing of the pod runs any more. */
export function isStopped(observed: PodObservation): boolean {
  return (
    observed.containers.every((container) => container.state !== "running") &&
    observed.sandboxes.every((sandbox) => sandbox.state !== "ready")
  );
}

/** Whether the pod will not run any more, because of what it did or because it is told to end. */
export function isEnding(observed: PodObservation): boolean {
  return endReason(observed) !== undefined;
}

function endReason(observed: PodObservation): string | undefined {
  if (isTerminating(observed.pod) || observed.ended || isTerminal(observed.pod)) {
    return "Stopping container";
  }
  return isComplete(observed) ? "Stopping container" : undefined;
}

/** Whether every app container ended for good, or an init container did so with a failure. */
export function isComplete(observed: PodObservation): boolean {
  const containers = podContainers(observed.pod);
  if (
    containers.some((container) => container.role === "init" && failedForGood(observed, container))
  )
    return true;
  const apps = containers.filter(({ role }) => role === "app");
  return apps.length > 0 && apps.every((container) => endedForGood(observed, container));
}

function endedForGood(observed: PodObservation, container: PodContainer): boolean {
  const newest = newestOf(observed, container.spec.name);
  if (newest?.state !== "exited" || isPast(observed, newest)) return false;
  return !isRestarted(observed.pod, container, newest.exitCode);
}

/** Whether a container was ended so that another takes its place. */
function isPast({ renewed, outdated }: PodObservation, { id }: ContainerState): boolean {
  return (renewed?.has(id) ?? false) || (outdated?.has(id) ?? false);
}

function failedForGood(observed: PodObservation, container: PodContainer): boolean {
  return (
    endedForGood(observed, container) && newestOf(observed, container.spec.name)?.exitCode !== 0
  );
}

/** App containers end first; sidecars after them, the last one first; the sandbox when nothing runs in it. */
function planEnd(observed: PodObservation, why: string): readonly PodAction[] {
  const sidecars = podContainers(observed.pod)
    .filter(({ role }) => role === "sidecar")
    .map(({ spec }) => spec.name)
    .toReversed();
  const running = observed.containers.filter(({ state }) => state === "running");
  const apps = running.filter(({ name }) => !sidecars.includes(name));
  const nextSidecar = sidecars
    .map((name) => running.find((container) => container.name === name))
    .find((container) => container !== undefined);
  const stopped = apps.length > 0 ? apps : nextSidecar ? [nextSidecar] : [];
  if (stopped.length > 0) return stopped.map((container) => stop(container, why));
  return observed.sandboxes
    .filter(({ state }) => state === "ready")
    .map(({ id }) => ({ kind: "stop-sandbox", id }));
}

function stop(container: ContainerState, why: string): PodAction {
  return {
    kind: "stop-container",
    id: container.id,
    name: container.name,
    why: `${why} ${container.name}`,
  };
}

/** A sandbox that is gone takes its containers with it; a new one begins with the init containers again. */
function planSandbox(observed: PodObservation): readonly PodAction[] {
  const [latest] = observed.sandboxes;
  const blocked = observed.failures.get("");
  if (blocked !== undefined && blocked.retryMs > observed.nowMs) {
    return [{ kind: "wait", name: "", untilMs: blocked.retryMs, crashed: false }];
  }
  const running = observed.containers.filter(({ state }) => state === "running");
  const stops = running.map((container) =>
    stop(container, "Pod sandbox changed, it will be killed and re-created. Stopping container"),
  );
  if (stops.length > 0) return stops;
  const old = latest ? [{ kind: "stop-sandbox", id: latest.id } as const] : [];
  const outdated = observed.sandboxes
    .slice(1)
    .map(({ id }) => ({ kind: "remove-sandbox", id }) as const);
  return [...old, ...outdated, { kind: "create-sandbox", attempt: (latest?.attempt ?? -1) + 1 }];
}

/** A container whose rule says so ended: the others are stopped, then all begin anew in the same sandbox. */
function planAnew(observed: PodObservation, sandbox: Sandbox): readonly PodAction[] {
  const own = podContainers(observed.pod).filter(({ role }) => role !== "ephemeral");
  const current = own.flatMap((container) => {
    const state = runIn(observed, sandbox, container.spec.name);
    return state ? [{ container, state }] : [];
  });
  const isAsked = current.some(
    ({ container, state }) =>
      state.state === "exited" &&
      !observed.renewed?.has(state.id) &&
      restartsAll(container, state.exitCode),
  );
  if (!isAsked) return [];
  const running = current.filter(({ state }) => state.state === "running");
  if (running.length > 0) return running.map(({ state }) => stop(state, "Stopping container"));
  return [{ kind: "begin-anew", ids: current.map(({ state }) => state.id) }];
}

function planContainers(observed: PodObservation, sandbox: Sandbox): readonly PodAction[] {
  const all = podContainers(observed.pod);
  const ephemeral = all
    .filter(({ role }) => role === "ephemeral")
    .filter(({ spec }) => newestOf(observed, spec.name) === undefined)
    .flatMap((container) => planStart(observed, container));
  return [...ephemeral, ...planInit(observed, sandbox, all)];
}

function planInit(
  observed: PodObservation,
  sandbox: Sandbox,
  all: readonly PodContainer[],
): readonly PodAction[] {
  const begun = all.some(
    ({ role, spec }) => role === "app" && runIn(observed, sandbox, spec.name) !== undefined,
  );
  const actions: PodAction[] = [];
  for (const container of all.filter(({ role }) => role === "init" || role === "sidecar")) {
    if (container.role === "init" && begun) continue;
    const step = planOne(observed, sandbox, container);
    actions.push(...step.actions);
    if (!step.passed && !begun) return actions;
  }
  const apps = all.filter(({ role }) => role === "app");
  return [
    ...actions,
    ...apps.flatMap((container) => planOne(observed, sandbox, container).actions),
  ];
}

interface Step {
  readonly actions: readonly PodAction[];
  /** Whether the containers after this one may start. */
  readonly passed: boolean;
}

function planOne(observed: PodObservation, sandbox: Sandbox, container: PodContainer): Step {
  const current = runIn(observed, sandbox, container.spec.name);
  if (current?.state === "running") return planRunning(observed, container, current);
  if (current && observed.renewed?.has(current.id)) {
    return { actions: planStart(observed, container), passed: false };
  }
  const passed = container.role === "init" && current?.state === "exited" && current.exitCode === 0;
  if (passed) return { actions: [], passed };
  if (current?.state === "exited" && !isRestarted(observed.pod, container, current.exitCode)) {
    return { actions: [], passed: false };
  }
  return { actions: planStart(observed, container), passed: false };
}

function planRunning(
  observed: PodObservation,
  container: PodContainer,
  current: ContainerState,
): Step {
  const health = healthOf(observed, current);
  const passed = container.role === "sidecar" && health.started;
  if (health.failed === undefined) return { actions: [], passed };
  const { name } = container.spec;
  const probe = health.failed;
  const ends = !isRestarted(observed.pod, container, 137);
  const why = `Container ${name} failed ${probe.toLowerCase()} probe${ends ? "" : ", will be restarted"}`;
  return {
    actions: [{ kind: "stop-container", id: current.id, name, why, probe }],
    passed,
  };
}

function planStart(observed: PodObservation, { spec: { name } }: PodContainer): PodAction[] {
  const newest = newestOf(observed, name);
  // Under "" is what holds up the whole pod: its volumes or its sandbox.
  const failure = observed.failures.get("") ?? observed.failures.get(name);
  if (failure !== undefined && failure.retryMs > observed.nowMs) {
    return [{ kind: "wait", name, untilMs: failure.retryMs, crashed: false }];
  }
  const isRenewed = newest !== undefined && isPast(observed, newest);
  const crashedUntilMs =
    newest?.state === "exited" && !isRenewed
      ? newest.finishedMs + (observed.crashDelaysMs.get(name) ?? 0)
      : 0;
  if (crashedUntilMs > observed.nowMs) {
    return [{ kind: "wait", name, untilMs: crashedUntilMs, crashed: true }];
  }
  return [{ kind: "start-container", name, attempt: nextAttempt(observed, name) }];
}

/** Counts on from the status where the runtime lost the container, as after a restart of the machine. */
function nextAttempt(observed: PodObservation, name: string): number {
  const newest = newestOf(observed, name);
  if (newest !== undefined) return newest.attempt + 1;
  const old = oldStatus(observed.pod, name);
  return old?.containerID ? old.restartCount + 1 : 0;
}

function runIn(
  observed: PodObservation,
  sandbox: Sandbox,
  name: string,
): ContainerState | undefined {
  const newest = newestOf(observed, name);
  if (newest?.sandboxId !== sandbox.id || observed.outdated?.has(newest.id)) return undefined;
  return newest;
}

/** Of the containers that ended, the newest of each name stays for its logs and last state, and one before it. */
function planGarbage(observed: PodObservation): readonly PodAction[] {
  const names = new Set(observed.containers.map(({ name }) => name));
  return [...names].flatMap((name) =>
    observed.containers
      .filter((container) => container.name === name)
      .slice(1)
      .filter(({ state }) => state !== "running")
      .slice(1)
      .map(({ id }) => ({ kind: "remove-container", id }) as const),
  );
}
