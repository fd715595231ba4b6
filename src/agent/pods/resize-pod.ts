import type { Pod } from "#api/generated/types.ts";
import { messageOf } from "#base/log.ts";
import { containerResources } from "#agent/pods/container-resources.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import type { PendingChange, ResizeKeeper } from "#agent/pods/resize-keeper.ts";

type Parts = Pick<
  PodParts,
  "runtime" | "recorder" | "memoryBytes" | "answerResize" | "cgroups" | "others"
>;

/** Asks the node for the resources that the object wants, and tells what it says. True when they were granted. */
export function askForResize(parts: Parts, pod: Pod, keeper: ResizeKeeper): boolean {
  if (!keeper.differs(pod)) {
    keeper.settle();
    return false;
  }
  const before = keeper.state.pending;
  const answer = parts.answerResize(pod);
  keeper.answer(pod, answer);
  if (answer.kind === "fits") {
    tell(parts, pod, { type: "Normal", reason: "ResizeStarted", text: "Pod resize started" });
    return true;
  }
  const { reason, message } = answer;
  if (before?.reason !== reason || before.message !== message) {
    const text = `Pod resize ${reason}`;
    tell(parts, pod, { type: "Warning", reason: `Resize${reason}`, text, error: message });
  }
  return false;
}

export interface RunningResize {
  /** With the resources that were granted. */
  readonly pod: Pod;
  readonly containers: readonly ContainerState[];
  readonly keeper: ResizeKeeper;
  /** Ends a container so that it is started anew. */
  readonly restart: (state: ContainerState, why: string) => Promise<void>;
}

/** Brings running containers to the resources that were granted; one that failed must be tried again. */
export async function resizeRunning(
  parts: Parts,
  { pod, containers, keeper, restart }: RunningResize,
): Promise<"nothing" | "changed" | "failed"> {
  const wasInProgress = keeper.state.inProgress !== undefined;
  const changes = keeper.changes(pod, containers);
  if (changes.length === 0) return wasInProgress ? "changed" : "nothing";
  for (const { state, needsRestart } of changes) {
    if (needsRestart) await restart(state, `Container ${state.name} resize requires restart`);
  }
  const inPlace = changes.filter(({ needsRestart }) => !needsRestart);
  return (await carryOutResize(parts, { pod, changes: inPlace, keeper })) ? "changed" : "failed";
}

async function carryOutResize(
  parts: Parts,
  resize: {
    readonly pod: Pod;
    readonly changes: readonly PendingChange[];
    readonly keeper: ResizeKeeper;
  },
): Promise<boolean> {
  const { pod, changes, keeper } = resize;
  try {
    await checkMemory(parts, pod, changes);
    await parts.cgroups?.grow(pod);
    for (const { container, state } of changes) {
      const resources = containerResources(pod, container, parts.memoryBytes);
      await parts.runtime.updateContainer(state.id, resources);
      keeper.done(state.id, container.resources ?? {});
    }
    await parts.cgroups?.prepareFor(pod, parts.others(pod));
    const text = "Pod resize completed";
    tell(parts, pod, { type: "Normal", reason: "ResizeCompleted", text });
    return true;
  } catch (error) {
    const message = messageOf(error);
    if (keeper.state.inProgress?.message !== message) {
      const event = { type: "Warning", reason: "ResizeError", text: "Pod resize error" } as const;
      tell(parts, pod, { ...event, error: message });
    }
    keeper.failed(message);
    return false;
  }
}

/** A limit below what is in use would end the container. */
async function checkMemory(
  { runtime, memoryBytes }: Parts,
  pod: Pod,
  changes: readonly PendingChange[],
): Promise<void> {
  const stats = await runtime.containerStats();
  for (const { container, state } of changes) {
    const { memoryLimitBytes = Infinity } = containerResources(pod, container, memoryBytes);
    const used = stats.find(({ id }) => id === state.id)?.workingSetBytes ?? 0;
    if (used <= memoryLimitBytes) continue;
    throw new Error(
      `cannot decrease memory limits: attempting to set container "${container.name}" memory limit (${memoryLimitBytes}) below current usage (${used})`,
    );
  }
}

function tell(
  { recorder }: Parts,
  pod: Pod,
  event: {
    readonly type: "Normal" | "Warning";
    readonly reason: string;
    readonly text: string;
    readonly error?: string;
  },
): void {
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  const named = (list: typeof containers) =>
    list.map(({ name, resources }) => ({ name, resources: resources ?? {} }));
  const summary = {
    ...(initContainers.length > 0 && { initContainers: named(initContainers) }),
    containers: named(containers),
    generation: pod.metadata.generation ?? 0,
    ...(event.error && { error: event.error }),
  };
  const { type, reason, text } = event;
  recorder.record(pod, { type, reason, message: `${text}: ${JSON.stringify(summary)}` });
}
