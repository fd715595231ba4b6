import type { Container, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { messageOf } from "#base/log.ts";
import { containerResources } from "#agent/pods/container-resources.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { cpusOf } from "#agent/pods/container-config.ts";
import type { PendingChange, PendingChanges, ResizeKeeper } from "#agent/pods/resize-keeper.ts";
import { podLimits } from "#agent/node/pod-cgroups.ts";
import type { ContainerState, Resources } from "#agent/runtime/container-runtime.ts";

type Parts = Pick<
  PodParts,
  "runtime" | "recorder" | "clock" | "memoryBytes" | "answerResize" | "cgroups" | "cpus" | "others"
>;

/** Asks the node for the resources that the object wants, and tells what it says. True when they were granted. */
export function askForResize(parts: Parts, pod: Pod, keeper: ResizeKeeper): boolean {
  if (!keeper.differs(pod)) {
    keeper.settle();
    return false;
  }
  const before = keeper.state.pending;
  const answer = parts.answerResize(pod, keeper.granted(pod));
  keeper.answer(pod, answer, parts.clock.now());
  if (answer.kind === "fits") {
    tell(parts, pod, { type: "Normal", reason: "ResizeStarted", text: "Pod resize started" });
    return true;
  }
  const { reason, message } = answer;
  if (before?.reason !== reason || before.observedGeneration !== pod.metadata.generation) {
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

/** Brings what runs to the resources that were granted; what failed must be tried again. */
export async function resizeRunning(
  parts: Parts,
  { pod, containers, keeper, restart }: RunningResize,
): Promise<"nothing" | "changed" | "failed"> {
  const changes = keeper.changes(pod, containers);
  if (changes.containers.length === 0 && !changes.whole) {
    const generation = keeper.finish();
    if (generation === undefined) return "nothing";
    const text = "Pod resize completed";
    tell(parts, pod, { type: "Normal", reason: "ResizeCompleted", text, generation });
    return "changed";
  }
  keeper.begin(pod);
  for (const { state, needsRestart } of changes.containers) {
    if (needsRestart) await restart(state, `Container ${state.name} resize requires restart`);
  }
  const inPlace = changes.containers.filter(({ needsRestart }) => !needsRestart);
  const left = { ...changes, containers: inPlace };
  return (await carryOutResize(parts, { pod, changes: left, keeper })) ? "changed" : "failed";
}

interface CarriedOut {
  readonly pod: Pod;
  readonly changes: PendingChanges;
  readonly keeper: ResizeKeeper;
}

async function carryOutResize(
  parts: Parts,
  { pod, changes, keeper }: CarriedOut,
): Promise<boolean> {
  try {
    await checkMemory(parts, pod, changes.containers);
    await parts.cgroups?.grow(pod);
    for (const { container, state } of changes.containers) {
      const share = parts.cpus?.shareOf(uidOf(pod), container.name);
      const resources = { ...resourcesOf(parts, pod, container), ...cpusOf(share) };
      await parts.runtime.updateContainer(state.id, resources);
      keeper.done(state.id, pod, container);
    }
    await parts.cgroups?.prepareFor(pod, parts.others(pod));
    keeper.hold(pod);
    return true;
  } catch (error) {
    const message = messageOf(error);
    if (keeper.failed(pod, message)) {
      const event = { type: "Warning", reason: "ResizeError", text: "Pod resize error" } as const;
      const generation = keeper.state.inProgress?.observedGeneration ?? 0;
      tell(parts, pod, { ...event, error: message, generation });
    }
    return false;
  }
}

/** A limit that is new, or lower than before, must not be below what is in use: the kernel would end the container. */
async function checkMemory(
  parts: Parts,
  pod: Pod,
  changes: readonly PendingChange[],
): Promise<void> {
  const problems = [
    ...(await wholeProblems(parts, pod)),
    ...(await containerProblems(parts, pod, changes)),
  ];
  if (problems.length === 0) return;
  const text = problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
  throw new Error(`cannot decrease memory limits: ${text}`);
}

async function wholeProblems({ cgroups }: Parts, pod: Pod): Promise<readonly string[]> {
  const limit = podLimits(pod, -1).memoryBytes;
  if (cgroups === undefined || limit === undefined) return [];
  const memory = await cgroups.memoryOf(pod);
  if (limit >= memory.limitBytes || memory.usageBytes < limit) return [];
  return [
    `attempting to set pod memory limit (${limit}) below current usage (${memory.usageBytes})`,
  ];
}

async function containerProblems(
  parts: Parts,
  pod: Pod,
  changes: readonly PendingChange[],
): Promise<readonly string[]> {
  const limitOf = (resources: Resources): number => resources.memoryLimitBytes ?? Infinity;
  const lowered = changes.flatMap(({ container, state, actual }) => {
    const limit = limitOf(resourcesOf(parts, pod, container));
    const before = limitOf(resourcesOf(parts, pod, { ...container, resources: actual }));
    return limit < before ? [{ name: container.name, id: state.id, limit }] : [];
  });
  if (lowered.length === 0) return [];
  const stats = await parts.runtime.containerStats();
  return lowered.flatMap(({ name, id, limit }) => {
    const found = stats.find((one) => one.id === id);
    const used = found?.usageBytes ?? found?.workingSetBytes;
    if (used === undefined) return [`missing container "${name}" memory usage`];
    if (used < limit) return [];
    return [
      `attempting to set container "${name}" memory limit (${limit}) below current usage (${used})`,
    ];
  });
}

function resourcesOf({ memoryBytes }: Parts, pod: Pod, container: Container): Resources {
  return containerResources(pod, container, memoryBytes);
}

function tell(
  { recorder }: Parts,
  pod: Pod,
  event: {
    readonly type: "Normal" | "Warning";
    readonly reason: string;
    readonly text: string;
    readonly error?: string;
    readonly generation?: number;
  },
): void {
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  const named = (list: typeof containers) =>
    list.map(({ name, resources }) => ({ name, resources: resources ?? {} }));
  const summary = {
    ...(initContainers.length > 0 && { initContainers: named(initContainers) }),
    containers: named(containers),
    generation: event.generation ?? pod.metadata.generation ?? 0,
    ...(event.error && { error: event.error }),
  };
  const { type, reason, text } = event;
  recorder.record(pod, { type, reason, message: `${text}: ${JSON.stringify(summary)}` });
}
