import type { Node, NodeCondition, Taint } from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import { sameJson } from "#controllers/same-json.ts";

export interface ObservedNode {
  readonly node: Node;
  /** When the node was last heard of, by its lease or its status, on this process' clock. */
  readonly heardAtMs: number;
  readonly nowMs: number;
}

export interface NodePlan {
  /** Set when the conditions must say that nothing is known of the node. */
  readonly conditions?: readonly NodeCondition[];
  /** Set when they must change. */
  readonly taints?: readonly Taint[];
  /** The node just turned from ready to not ready. */
  readonly becameUnready: boolean;
  /** When silence would tell something new. */
  readonly againInMs?: number;
}

/** Silence longer than this means that a node is not known to be ready. */
export const graceMs = 50_000;
/** A new node has longer to say something at all. */
export const startupGraceMs = 60_000;

export function planNode(observed: ObservedNode): NodePlan {
  const { node, heardAtMs, nowMs } = observed;
  const conditions = node.status?.conditions ?? [];
  const ready = conditionOf(conditions, "Ready");
  const limitMs = ready === undefined ? startupGraceMs : graceMs;
  const leftMs = heardAtMs + limitMs - nowMs;
  const next = leftMs > 0 ? conditions : silenced(node, nowMs);
  const changed = next !== conditions && !sameJson(next, conditions);
  const taints = wantedTaints(node, next, nowMs);
  return {
    ...(changed && { conditions: next }),
    ...(!sameJson(taints, node.spec?.taints ?? []) && { taints }),
    becameUnready: ready?.status === "True" && conditionOf(next, "Ready")?.status !== "True",
    ...(leftMs > 0 && { againInMs: leftMs }),
  };
}

/** All conditions that the node itself reports become Unknown. */
function silenced(node: Node, nowMs: number): readonly NodeCondition[] {
  const known = node.status?.conditions ?? [];
  const others = known.filter(({ type }) => !reported.includes(type));
  const unknown = reported.map((type): NodeCondition => {
    const before = conditionOf(known, type);
    if (before?.status === "Unknown") return before;
    const said = before
      ? { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." }
      : { reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status." };
    const heartbeat = before?.lastHeartbeatTime ?? node.metadata.creationTimestamp;
    return {
      type,
      status: "Unknown",
      ...(heartbeat && { lastHeartbeatTime: heartbeat }),
      lastTransitionTime: rfc3339(nowMs),
      ...said,
    };
  });
  return [...unknown, ...others];
}

const reported: readonly string[] = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

const prefix = "node.kubernetes.io/";

/** The taints that conditions stand for; all others stay as they are. */
function wantedTaints(
  node: Node,
  conditions: readonly NodeCondition[],
  nowMs: number,
): readonly Taint[] {
  const current = node.spec?.taints ?? [];
  const wanted = conditionTaints(node, conditions);
  const foreign = current.filter((taint) => !isOurs(taint));
  const ours = wanted.map((taint): Taint => {
    const before = current.find(({ key, effect }) => key === taint.key && effect === taint.effect);
    if (before) return before;
    return taint.effect === "NoExecute" ? { ...taint, timeAdded: rfc3339(nowMs) } : taint;
  });
  const order = (taint: Taint): number => {
    const index = current.indexOf(taint);
    return index < 0 ? current.length : index;
  };
  return [...foreign, ...ours].toSorted((one, other) => order(one) - order(other));
}

function conditionTaints(node: Node, conditions: readonly NodeCondition[]): readonly Taint[] {
  const taints: Taint[] = [];
  const add = (name: string, ...effects: string[]): void => {
    for (const effect of effects) taints.push({ key: `${prefix}${name}`, effect });
  };
  const is = (type: string, status: string): boolean =>
    conditionOf(conditions, type)?.status === status;
  if (is("Ready", "False")) add("not-ready", "NoSchedule", "NoExecute");
  if (is("Ready", "Unknown")) add("unreachable", "NoSchedule", "NoExecute");
  if (is("MemoryPressure", "True")) add("memory-pressure", "NoSchedule");
  if (is("DiskPressure", "True")) add("disk-pressure", "NoSchedule");
  if (is("PIDPressure", "True")) add("pid-pressure", "NoSchedule");
  if (is("NetworkUnavailable", "True")) add("network-unavailable", "NoSchedule");
  if (node.spec?.unschedulable) add("unschedulable", "NoSchedule");
  return taints;
}

const ourTaints: ReadonlySet<string> = new Set([
  "not-ready NoSchedule",
  "not-ready NoExecute",
  "unreachable NoSchedule",
  "unreachable NoExecute",
  "memory-pressure NoSchedule",
  "disk-pressure NoSchedule",
  "pid-pressure NoSchedule",
  "network-unavailable NoSchedule",
  "unschedulable NoSchedule",
]);

function isOurs({ key, effect }: Taint): boolean {
  return key.startsWith(prefix) && ourTaints.has(`${key.slice(prefix.length)} ${effect}`);
}

export function conditionOf(
  conditions: readonly NodeCondition[],
  type: string,
): NodeCondition | undefined {
  return conditions.find((condition) => condition.type === type);
}
