import type { DaemonSet, DaemonSetStatus, Node, Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { fitnessOf, nodeOfDaemon } from "#controllers/daemon-set/daemon-pod.ts";
import { resolveShare } from "#controllers/deployment/rounding.ts";
import { isPodAvailable, isPodFinished, isPodReady } from "#controllers/pods/pod-state.ts";
import { positive } from "#controllers/replica-set/plan-replica-set.ts";
import { revisionHashLabel } from "#controllers/revision-history/revision-history.ts";

export interface ObservedDaemonSet {
  readonly set: DaemonSet;
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  /** Of the present template. */
  readonly hash: string;
  readonly nowMs: number;
}

export interface DaemonPlan {
  /** Names of nodes that need a pod. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  /** Pods that ended: they go too, ever more slowly where they keep ending. */
  readonly failed: readonly Pod[];
  readonly status: DaemonSetStatus;
}

/** One pod on every node that fits; an update replaces as many at a time as may be unavailable. */
export function planDaemonSet(observed: ObservedDaemonSet): DaemonPlan {
  const { set, pods, nodes } = observed;
  const byNode = Map.groupBy(pods, nodeOfDaemon);
  const fitness = new Map(nodes.map((node) => [nameOf(node), fitnessOf(set, node)]));
  const create: string[] = [];
  const remove: Pod[] = [];
  const failed: Pod[] = [];
  const surge = surgeOf(set, [...fitness.values()].filter(({ run }) => run).length);
  for (const [name, { run, stay }] of fitness) {
    const here = (byNode.get(name) ?? []).filter(({ metadata }) => !metadata.deletionTimestamp);
    const ended = here.filter(isPodFinished);
    const alive = here.filter((pod) => !isPodFinished(pod)).toSorted(byAge);
    failed.push(...ended);
    if (!stay) remove.push(...alive);
    else if (run && (byNode.get(name) ?? []).length === 0) create.push(name);
    else if (surge === 0) remove.push(...alive.slice(1));
    else remove.push(...superseded(observed, alive));
  }
  const wanted = [...fitness].filter(([, { run }]) => run).map(([name]) => name);
  const leaving = set.metadata.deletionTimestamp !== undefined;
  const status = statusOf(observed, wanted, byNode);
  if (leaving) return { create: [], delete: [], failed: [], status };
  if (surge > 0) {
    const ahead = surgeNodes(observed, { wanted, byNode, surge });
    return { create: [...create, ...ahead], delete: remove, failed, status };
  }
  const busy = create.length + remove.length + failed.length > 0;
  const outdated = busy ? [] : outdatedPods(observed, wanted, byNode);
  return { create, delete: [...remove, ...outdated], failed, status };
}

/** How many nodes may have two pods while an update goes on; 0: an update replaces pods. */
function surgeOf({ spec }: DaemonSet, nodeCount: number): number {
  if (spec?.updateStrategy?.type === "OnDelete") return 0;
  return resolveShare(spec?.updateStrategy?.rollingUpdate?.maxSurge ?? 0, nodeCount, Math.ceil);
}

/** What goes of one node's pods, from the oldest: the old one once it serves nobody or the new one is available. */
function superseded(observed: ObservedDaemonSet, alive: readonly Pod[]): readonly Pod[] {
  const isNew = (pod: Pod): boolean => hashOf(pod) === observed.hash;
  const [newer, ...moreNew] = alive.filter(isNew);
  const [older, ...moreOld] = alive.filter((pod) => !isNew(pod));
  const done =
    older !== undefined &&
    newer !== undefined &&
    (!isPodReady(older) || isAvailable(observed, newer));
  return [...moreNew, ...moreOld, ...(done ? [older] : [])];
}

/** Nodes that get the new pod beside the old one. Where the old one serves nobody, that costs nothing. */
function surgeNodes(
  observed: ObservedDaemonSet,
  {
    wanted,
    byNode,
    surge,
  }: {
    readonly wanted: readonly string[];
    readonly byNode: ReadonlyMap<string, readonly Pod[]>;
    readonly surge: number;
  },
): readonly string[] {
  let room = surge;
  const free: string[] = [];
  const candidates: string[] = [];
  for (const name of wanted) {
    const alive = (byNode.get(name) ?? []).filter((pod) => !isPodFinished(pod));
    const newer = alive.find((pod) => hashOf(pod) === observed.hash);
    const older = alive.find((pod) => hashOf(pod) !== observed.hash);
    if (newer !== undefined && older !== undefined) {
      if (!isAvailable(observed, newer)) room--;
    } else if (newer === undefined && older !== undefined && !isCrowded(alive)) {
      (isAvailable(observed, older) ? candidates : free).push(name);
    }
  }
  return [...free, ...candidates.slice(0, Math.max(0, room))];
}

/** A third pod would come before the second, of a template in between, has gone. */
function isCrowded(alive: readonly Pod[]): boolean {
  return alive.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length > 1;
}

function outdatedPods(
  observed: ObservedDaemonSet,
  wanted: readonly string[],
  byNode: ReadonlyMap<string, readonly Pod[]>,
): readonly Pod[] {
  const { updateStrategy } = observed.set.spec ?? {};
  if (updateStrategy?.type === "OnDelete") return [];
  const limit = updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  const max = Math.max(1, resolveShare(limit, wanted.length, Math.ceil));
  const pods = wanted.map((name) => byNode.get(name)?.[0]);
  const isUp = (pod: Pod | undefined): boolean => pod !== undefined && isAvailable(observed, pod);
  let room = max - pods.filter((pod) => !isUp(pod)).length;
  const chosen: Pod[] = [];
  for (const pod of pods) {
    if (!pod || pod.metadata.deletionTimestamp || hashOf(pod) === observed.hash) continue;
    // One that serves nobody costs nothing.
    if (!isUp(pod)) chosen.push(pod);
    else if (room-- > 0) chosen.push(pod);
  }
  return chosen;
}

function statusOf(
  observed: ObservedDaemonSet,
  wanted: readonly string[],
  byNode: ReadonlyMap<string, readonly Pod[]>,
): DaemonSetStatus {
  const { set, hash } = observed;
  const on = new Set(wanted);
  const scheduled = wanted.flatMap((name) => {
    const alive = (byNode.get(name) ?? []).filter((pod) => !isPodFinished(pod)).toSorted(byAge);
    return alive.slice(0, 1);
  });
  const misplaced = [...byNode].filter(
    ([name, pods]) => !on.has(name) && pods.some((pod) => !isPodFinished(pod)),
  ).length;
  const available = scheduled.filter((pod) => isAvailable(observed, pod)).length;
  const { collisionCount } = set.status ?? {};
  return {
    currentNumberScheduled: scheduled.length,
    desiredNumberScheduled: wanted.length,
    numberMisscheduled: misplaced,
    numberReady: scheduled.filter(isPodReady).length,
    ...positive("numberAvailable", available),
    ...positive("numberUnavailable", wanted.length - available),
    ...positive("updatedNumberScheduled", scheduled.filter((pod) => hashOf(pod) === hash).length),
    observedGeneration: set.metadata.generation ?? 0,
    ...(collisionCount !== undefined && { collisionCount }),
  };
}

function isAvailable({ set, nowMs }: ObservedDaemonSet, pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  return isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
}

export function hashOf(pod: Pod): string {
  return pod.metadata.labels?.[revisionHashLabel] ?? "";
}

function byAge(one: Pod, other: Pod): number {
  const [a, b] = [one.metadata.creationTimestamp ?? "", other.metadata.creationTimestamp ?? ""];
  return a < b ? -1 : a > b ? 1 : 0;
}
