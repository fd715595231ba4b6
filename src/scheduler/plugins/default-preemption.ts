import { rfc3339, type Clock } from "#base/clock.ts";
import { isNotFound } from "#api/status.ts";
import type { Pod, PodDisruptionBudget } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";
import type { FailedCycle, Plugin, Rejection } from "#scheduler/framework.ts";
import type { NodeState, PlacedPod } from "#scheduler/node-state.ts";
import { violationsOf } from "#scheduler/plugins/disruption-budgets.ts";
import { histogram } from "#scheduler/scheduling-cycle.ts";

export interface PreemptionParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  /** The pod as it is known, for the event about it. */
  readonly podOf: (placed: PlacedPod) => Pod | undefined;
  readonly budgetsOf: (namespace: string) => readonly PodDisruptionBudget[];
  /** Keeps the room that is made for the pod. */
  readonly nominate: (pod: PlacedPod, nodeName: string) => void;
}

export interface Candidate {
  readonly node: NodeState;
  /** The most important first. */
  readonly victims: readonly PlacedPod[];
  /** How many of them no disruption budget allows. */
  readonly violations: number;
}

type Budgets = PreemptionParts["budgetsOf"];

/**
 * Makes room for a pod by removing pods of lower priority: as few and as unimportant ones as possible, from one node,
 * and against disruption budgets only where there is no other way. The room is then kept for the pod.
 */
export function createDefaultPreemption(parts: PreemptionParts): Plugin {
  return {
    name: "DefaultPreemption",
    async postFilter(failed) {
      const { pod } = failed;
      if (pod.pod.spec?.preemptionPolicy === "Never") {
        return "preemption: not eligible due to preemptionPolicy=Never.";
      }
      if (awaitsVictims(failed, parts))
        return "preemption: not eligible due to a terminating pod on the nominated node.";
      const candidate = bestCandidate(candidatesOf(failed, parts.budgetsOf));
      if (candidate === undefined) return `preemption: ${noCandidate(failed)}`;
      await preempt(parts, failed, candidate);
      return undefined;
    },
  };
}

/** Of many nodes with victims, the first tenth, but at least this many, are compared. */
const candidatesMin = 100;

function candidatesOf(failed: FailedCycle, budgetsOf: Budgets): readonly Candidate[] {
  const wanted = Math.max(candidatesMin, Math.floor(failed.nodes.length / 10));
  const candidates: Candidate[] = [];
  for (const node of failed.nodes) {
    candidates.push(...candidateOn(node, failed, budgetsOf));
    if (candidates.length >= wanted && candidates.some(({ violations }) => violations === 0)) break;
  }
  return candidates;
}

/** What must go from the node for the pod to fit, if that is possible at all. The node is left as it was. */
export function candidateOn(
  node: NodeState,
  failed: FailedCycle,
  budgetsOf: Budgets,
): readonly Candidate[] {
  const { pod, rejections, fits } = failed;
  if (rejections.get(node.name)?.unresolvable) return [];
  const lower = [...node.pods.values()]
    .filter(({ priority }) => priority < pod.placed.priority)
    .toSorted(byImportance);
  if (lower.length === 0) return [];
  for (const victim of lower) node.remove(victim.uid);
  const violating = violationsOf(lower, budgetsOf);
  const victims: PlacedPod[] = [];
  if (fits(node)) {
    // Those that budgets protect are spared first.
    for (const spared of [...violating, ...lower.filter((pod) => !violating.has(pod))]) {
      node.add(spared);
      if (fits(node)) continue;
      node.remove(spared.uid);
      victims.push(spared);
    }
  }
  for (const victim of lower) node.add(victim);
  if (victims.length === 0) return [];
  const violations = victims.filter((victim) => violating.has(victim)).length;
  return [{ node, victims: victims.toSorted(byImportance), violations }];
}

/** The fewest losses: first by broken budgets, then by the most important victim, then by the sum, the number and how young they are. */
export function bestCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  const rank = ({ victims, violations }: Candidate): readonly number[] => [
    violations,
    victims[0]?.priority ?? 0,
    victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    victims.length,
    -Date.parse(victims[0]?.startedAt ?? ""),
  ];
  return candidates.toSorted((one, other) => compare(rank(one), rank(other)))[0];
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (const [index, value] of one.entries()) {
    const difference = value - (other[index] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}

function byImportance(one: PlacedPod, other: PlacedPod): number {
  if (one.priority !== other.priority) return other.priority - one.priority;
  return one.startedAt < other.startedAt ? -1 : 1;
}

/** Room was made before, and is not yet free. */
function awaitsVictims({ pod, nodes }: FailedCycle, { podOf }: PreemptionParts): boolean {
  const nominated = pod.pod.status?.nominatedNodeName;
  const node = nominated && nodes.find(({ name }) => name === nominated);
  if (!node) return false;
  return [...node.pods.values()].some(
    (placed) =>
      placed.priority < pod.placed.priority &&
      podOf(placed)?.metadata.deletionTimestamp !== undefined,
  );
}

function noCandidate({ nodes, rejections }: FailedCycle): string {
  const outcomes = nodes.map(({ name }): Rejection => ({
    reasons: [
      rejections.get(name)?.unresolvable
        ? "Preemption is not helpful for scheduling"
        : "No preemption victims found for incoming pod",
    ],
    unresolvable: true,
  }));
  return `0/${nodes.length} nodes are available: ${histogram(outcomes)}.`;
}

async function preempt(
  parts: PreemptionParts,
  { pod, signal }: FailedCycle,
  { node, victims }: Candidate,
): Promise<void> {
  const { client, nominate } = parts;
  nominate(pod.placed, node.name);
  await giveUpLesserNominations(parts, pod.placed, { node, signal });
  await Promise.all(victims.map((victim) => evict(parts, victim, pod.placed, signal)));
  const { namespace, name } = pod.placed;
  const value = { status: { nominatedNodeName: node.name } };
  const options = { subresource: "status", signal };
  await client.patch(pods, { namespace, name }, { kind: "merge", value }, options);
}

/** Pods of lower priority that were to come to the node look for another. */
async function giveUpLesserNominations(
  { client }: PreemptionParts,
  { priority }: PlacedPod,
  { node, signal }: { readonly node: NodeState; readonly signal: AbortSignal },
): Promise<void> {
  const lesser = [...node.nominated.values()].filter((other) => other.priority < priority);
  for (const { uid, namespace, name } of lesser) {
    node.nominated.delete(uid);
    const value = { metadata: { uid }, status: { nominatedNodeName: null } };
    const options = { subresource: "status", signal };
    try {
      await client.patch(pods, { namespace, name }, { kind: "merge", value }, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

async function evict(
  ...[{ client, clock, recorder, podOf }, victim, preemptor, signal]: [
    PreemptionParts,
    PlacedPod,
    PlacedPod,
    AbortSignal,
  ]
): Promise<void> {
  const { namespace, name, uid } = victim;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "PreemptionByScheduler",
    message: "default-scheduler: preempting to accommodate a higher priority pod",
    lastTransitionTime: rfc3339(clock.now()),
  };
  const value = { metadata: { uid }, status: { conditions: [condition] } };
  const status = { subresource: "status", signal };
  try {
    await client.patch(pods, { namespace, name }, { kind: "strategic", value }, status);
    await client.delete(pods, { namespace, name }, { preconditions: { uid }, signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const known = podOf(victim);
  if (!known) return;
  recorder.record(known, {
    type: "Normal",
    reason: "Preempted",
    message: `Preempted by pod ${preemptor.uid} on node ${known.spec?.nodeName ?? ""}`,
  });
}
