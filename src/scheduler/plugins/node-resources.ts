import { scoreMax, type Plugin, type Rejection } from "#scheduler/framework.ts";
import type { NodeState, PlacedPod } from "#scheduler/node-state.ts";

/** Whether nodes may have an extended resource as devices, which are not counted here. */
type IsDevice = (resource: string) => boolean;

/** Pods fit a node by what they request; of those that fit, the emptiest scores best (`LeastAllocated`). */
export function createNodeResourcesFit(isDevice: IsDevice = () => false): Plugin {
  return {
    ...scoring,
    filter: ({ placed }, node) =>
      fits(placed, node, isDevice) ? undefined : misfit(placed, node, isDevice),
    helpedBy: (event, { placed }) =>
      event.kind === "nodeAdded" ||
      event.kind === "podGone" ||
      event.kind === "podShrank" ||
      (event.kind === "devicesChanged" && placed.amounts.requests.others.size > 0) ||
      (event.kind === "nodeChanged" && event.changes.has("allocatable")),
  };
}

const scoring: Plugin = {
  name: "NodeResourcesFit",
  weight: 1,
  score({ placed }, { allocatable, scored }) {
    const { milliCpu, memoryBytes } = placed.amounts.scored;
    const cpu = freeShare(scored.milliCpu + milliCpu, allocatable.milliCpu);
    const memory = freeShare(scored.memoryBytes + memoryBytes, allocatable.memoryBytes);
    return Math.floor((cpu + memory) / 2);
  },
};

/** Prefers nodes on which CPU and memory are used to the same degree. */
export const nodeResourcesBalanced: Plugin = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  score({ placed }, { allocatable, requested }) {
    const { requests } = placed.amounts;
    if (requests.milliCpu === 0 && requests.memoryBytes === 0) return 0;
    const cpu = usedShare(requested.milliCpu + requests.milliCpu, allocatable.milliCpu);
    const memory = usedShare(requested.memoryBytes + requests.memoryBytes, allocatable.memoryBytes);
    // With two resources the standard deviation is half their distance.
    return Math.floor((1 - Math.abs(cpu - memory) / 2) * scoreMax);
  },
};

interface Asking {
  readonly amounts: Pick<PlacedPod["amounts"], "requests">;
}

/** Asked of every node: says no more than it must. */
function fits({ amounts: { requests } }: Asking, node: NodeState, isDevice: IsDevice): boolean {
  const { allocatable, requested } = node;
  if (node.pods.size >= node.podsMax) return false;
  const { milliCpu, memoryBytes, ephemeralBytes, others } = requests;
  return (
    hasRoom(milliCpu, requested.milliCpu, allocatable.milliCpu) &&
    hasRoom(memoryBytes, requested.memoryBytes, allocatable.memoryBytes) &&
    hasRoom(ephemeralBytes, requested.ephemeralBytes, allocatable.ephemeralBytes) &&
    (others.size === 0 || misfit({ amounts: { requests } }, node, isDevice) === undefined)
  );
}

function hasRoom(wanted: number, taken: number, total: number): boolean {
  return wanted === 0 || wanted <= total - taken;
}

function misfit(
  { amounts: { requests } }: Asking,
  node: NodeState,
  isDevice: IsDevice,
): Rejection | undefined {
  const { allocatable, requested } = node;
  let reasons: string[] | undefined;
  let unresolvable = false;
  const check = (wanted: number, taken: number, total: number, name: string): void => {
    if (hasRoom(wanted, taken, total)) return;
    (reasons ??= []).push(`Insufficient ${name}`);
    if (wanted > total) unresolvable = true;
  };
  if (node.pods.size + 1 > node.podsMax) (reasons ??= []).push("Too many pods");
  check(requests.milliCpu, requested.milliCpu, allocatable.milliCpu, "cpu");
  check(requests.memoryBytes, requested.memoryBytes, allocatable.memoryBytes, "memory");
  const { ephemeralBytes } = requests;
  check(ephemeralBytes, requested.ephemeralBytes, allocatable.ephemeralBytes, "ephemeral-storage");
  for (const [name, wanted] of requests.others) {
    if (!allocatable.others.get(name) && isDevice(name)) continue;
    check(wanted, requested.others.get(name) ?? 0, allocatable.others.get(name) ?? 0, name);
  }
  return reasons && { reasons, unresolvable };
}

function freeShare(used: number, total: number): number {
  if (total === 0 || used > total) return 0;
  return Math.floor(((total - used) * scoreMax) / total);
}

function usedShare(used: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, used / total);
}
