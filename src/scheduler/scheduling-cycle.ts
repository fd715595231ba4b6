import type { Random } from "#base/random.ts";
import {
  isRejection,
  type CycleState,
  type PendingPod,
  type Plugin,
  type Rejection,
} from "#scheduler/framework.ts";
import type { NodeState, PlacedPod } from "#scheduler/node-state.ts";

interface Filter {
  readonly name: string;
  readonly filter: NonNullable<Plugin["filter"]>;
}

/** Where the filters that have something to say of the pod are remembered. */
const filtersKey = "filters of the cycle";

export type CycleResult =
  | { readonly kind: "placed"; readonly nodeName: string; readonly state: CycleState }
  | {
      readonly kind: "unplaced";
      /** By node; those not looked at are not in it. */
      readonly rejections: ReadonlyMap<string, Rejection>;
      readonly rejectedBy: ReadonlySet<string>;
      /** Set when the pod as such was rejected, whatever the node. */
      readonly whole?: Rejection;
      readonly state: CycleState;
    };

/** Finds the best node for one pod, as upstream's framework does; never waits, changes nothing. */
export class SchedulingCycle {
  readonly #plugins: readonly Plugin[];
  readonly #random: Random;
  readonly #filters: readonly Filter[];
  readonly #scorers: readonly (Plugin & { score: NonNullable<Plugin["score"]> })[];
  readonly #percentageOfNodes: number;
  /** Used again by every cycle. */
  readonly #scores: number[] = [];
  /** Where the next search begins, so that all nodes get their turn. */
  #startAt = 0;

  constructor(plugins: readonly Plugin[], random: Random, percentageOfNodes = 0) {
    this.#percentageOfNodes = percentageOfNodes;
    this.#plugins = plugins;
    this.#random = random;
    this.#filters = plugins.flatMap(({ name, filter }) => (filter ? [{ name, filter }] : []));
    this.#scorers = plugins.flatMap((plugin) =>
      plugin.score ? [{ ...plugin, score: plugin.score }] : [],
    );
  }

  run(pod: PendingPod, nodes: readonly NodeState[]): CycleResult {
    const state: CycleState = new Map();
    const narrowed = this.#preFilter(pod, state);
    if ("rejection" in narrowed) {
      const { rejection, by } = narrowed;
      return this.#unplaced(new Map(), new Set([by]), { state, whole: rejection });
    }
    const { names } = narrowed;
    const candidates = names ? nodes.filter(({ name }) => names.has(name)) : nodes;
    const nominated = nominatedNode(pod, candidates);
    if (nominated && this.fits(pod, nominated, state)) {
      return { kind: "placed", nodeName: nominated.name, state };
    }
    const rejections = new Map<string, Rejection>();
    const rejectedBy = new Set<string>();
    const feasible: NodeState[] = [];
    const wanted = feasibleWanted(candidates.length, this.#percentageOfNodes);
    const asked = { pod, state, filters: this.#filtersOf(state) };
    let looked = 0;
    for (; looked < candidates.length && feasible.length < wanted; looked++) {
      const node = candidates[(this.#startAt + looked) % candidates.length];
      if (node === undefined) continue;
      const rejected = this.#firstRejection(asked, node);
      if (rejected === undefined) feasible.push(node);
      else {
        rejections.set(node.name, rejected.rejection);
        rejectedBy.add(rejected.by);
      }
    }
    if (candidates.length > 0) this.#startAt = (this.#startAt + looked) % candidates.length;
    if (names) this.#rejectOthers(nodes, names, rejections);
    if (names && feasible.length === 0) rejectedBy.add("NodeAffinity");
    const best = this.#best(pod, feasible, state);
    if (best) return { kind: "placed", nodeName: best.name, state };
    return this.#unplaced(rejections, rejectedBy, { state });
  }

  /** Whether the pod passes all filters of one node. */
  fits(pod: PendingPod, node: NodeState, state: CycleState): boolean {
    const asked = { pod, state, filters: this.#filtersOf(state) };
    return this.#firstRejection(asked, node) === undefined;
  }

  #preFilter(
    pod: PendingPod,
    state: CycleState,
  ): { names: ReadonlySet<string> | undefined } | { rejection: Rejection; by: string } {
    let names: ReadonlySet<string> | undefined;
    const skipped = new Set<string>();
    for (const { name, preFilter } of this.#plugins) {
      const result = preFilter?.(pod, state);
      if (result === undefined) continue;
      if (result === "skip") {
        skipped.add(name);
        continue;
      }
      if (isRejection(result)) return { rejection: result, by: name };
      if (result.nodes) names = names ? names.intersection(result.nodes) : result.nodes;
    }
    const filters = this.#filters.filter(({ name }) => !skipped.has(name));
    state.set(filtersKey, filters);
    return { names };
  }

  /** With the pods for which room was made on the node, and without: that they may not come must not matter. */
  #firstRejection(asked: Asked, node: NodeState): Rejected | undefined {
    const guests = node.nominated.size === 0 ? noGuests : guestsOf(node, asked.pod);
    if (guests.length === 0) return rejectionBy(asked, node);
    for (const guest of guests) node.add(guest);
    const rejected = rejectionBy(asked, node);
    for (const guest of guests) node.remove(guest.uid);
    return rejected ?? rejectionBy(asked, node);
  }

  #filtersOf(state: CycleState): readonly Filter[] {
    return (state.get(filtersKey) as readonly Filter[] | undefined) ?? this.#filters;
  }

  #rejectOthers(
    nodes: readonly NodeState[],
    names: ReadonlySet<string>,
    rejections: Map<string, Rejection>,
  ): void {
    const rejection = {
      reasons: ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
      unresolvable: true,
    };
    for (const { name } of nodes) if (!names.has(name)) rejections.set(name, rejection);
  }

  /** Of nodes that score the same, any. */
  #best(pod: PendingPod, feasible: readonly NodeState[], state: CycleState): NodeState | undefined {
    if (feasible.length <= 1) return feasible[0];
    const totals = this.#totals(pod, feasible, state);
    let bestScore = Number.NEGATIVE_INFINITY;
    let ties = 0;
    for (const score of totals) {
      if (score > bestScore) [bestScore, ties] = [score, 1];
      else if (score === bestScore) ties++;
    }
    let chosen = Math.floor(this.#random() * ties);
    return feasible.find((_, index) => totals[index] === bestScore && chosen-- === 0);
  }

  #totals(pod: PendingPod, feasible: readonly NodeState[], state: CycleState): Float64Array {
    const totals = new Float64Array(feasible.length);
    const scores = this.#scores;
    scores.length = 0;
    for (const { preScore, score, normalize, weight = 1 } of this.#scorers) {
      if (preScore?.(pod, feasible, state) === "skip") continue;
      for (let index = 0; index < feasible.length; index++) {
        scores[index] = score(pod, feasible[index] as NodeState, state);
      }
      normalize?.(scores);
      for (let index = 0; index < feasible.length; index++) {
        totals[index] = (totals[index] ?? 0) + weight * (scores[index] ?? 0);
      }
    }
    return totals;
  }

  #unplaced(
    rejections: ReadonlyMap<string, Rejection>,
    rejectedBy: ReadonlySet<string>,
    rest: { readonly state: CycleState; readonly whole?: Rejection },
  ): CycleResult {
    return { kind: "unplaced", rejections, rejectedBy, ...rest };
  }
}

interface Asked {
  readonly pod: PendingPod;
  readonly state: CycleState;
  readonly filters: readonly Filter[];
}

/** Asked for each node of each pod: nothing is made here. */
function rejectionBy({ pod, state, filters }: Asked, node: NodeState): Rejected | undefined {
  for (const { name, filter } of filters) {
    const rejection = filter(pod, node, state);
    if (rejection) return { rejection, by: name };
  }
  return undefined;
}

interface Rejected {
  readonly rejection: Rejection;
  readonly by: string;
}

const noGuests: readonly PlacedPod[] = [];

function guestsOf(node: NodeState, { placed }: PendingPod): readonly PlacedPod[] {
  return [...node.nominated.values()].filter(
    ({ uid, priority }) => uid !== placed.uid && priority >= placed.priority && !node.pods.has(uid),
  );
}

/** Where room was made for the pod before: looked at first. */
function nominatedNode(
  { pod }: PendingPod,
  candidates: readonly NodeState[],
): NodeState | undefined {
  const nominated = pod.status?.nominatedNodeName;
  return nominated ? candidates.find(({ name }) => name === nominated) : undefined;
}

/**
 * Of how many feasible nodes the best is chosen: all in a small cluster, a shrinking share (at least 5 %) in a large one,
 * unless `percentage` says another.
 */
export function feasibleWanted(nodeCount: number, percentage = 0): number {
  if (nodeCount <= feasibleMin) return nodeCount;
  const percent = percentage || Math.max(5, 50 - Math.floor(nodeCount / 125));
  return Math.max(feasibleMin, Math.floor((nodeCount * percent) / 100));
}

const feasibleMin = 100;

/** What users read: `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: …`. */
export function unplacedMessage(
  nodeCount: number,
  { rejections, whole }: Extract<CycleResult, { kind: "unplaced" }>,
  said: string | undefined,
): string {
  if (nodeCount === 0) return "no nodes available to schedule pods";
  const reasons = whole ? whole.reasons.join(", ") : histogram(rejections.values());
  const text = `0/${nodeCount} nodes are available${reasons === "" ? "" : `: ${reasons}`}.`;
  return said === undefined ? text : `${text} ${said}`;
}

export function histogram(rejections: Iterable<Rejection>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of rejections) {
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .toSorted()
    .join(", ");
}
