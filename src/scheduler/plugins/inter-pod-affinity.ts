import { scoreMax, type ClusterEvent, type PendingPod, type Plugin } from "#scheduler/framework.ts";
import type { NodeState } from "#scheduler/node-state.ts";
import type { AffinityTerm } from "#scheduler/topology/affinity-terms.ts";
import type { CountQuery, DomainCounts } from "#scheduler/topology/domain-counts.ts";
import type { DomainCounter } from "#scheduler/topology/domains.ts";

const name = "InterPodAffinity";

const affinityRejection = {
  reasons: ["node(s) didn't match pod affinity rules"],
  unresolvable: true,
};
const antiAffinityRejection = {
  reasons: ["node(s) didn't match pod anti-affinity rules"],
  unresolvable: false,
};
const existingRejection = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  unresolvable: false,
};

interface Affinities {
  /** Each counts the pods that all required terms match. */
  readonly near: readonly DomainCounter[];
  /** Whether the pod is such a pod itself: then the first of its kind may go anywhere. */
  readonly nearItself: boolean;
  readonly apart: readonly DomainCounter[];
  /** Of pods that want to be apart from this one. */
  readonly shunning: readonly DomainCounter[];
  readonly preferred: readonly { readonly counter: DomainCounter; readonly weight: number }[];
}

/** Places pods near to, or apart from, other pods: what the pod asks for, and what those on nodes ask of it. */
export function createInterPodAffinity(counts: DomainCounts): Plugin {
  return {
    name,
    weight: 2,
    preFilter(pod, state) {
      const affinities = affinitiesOf(pod, counts);
      if (affinities === undefined) return "skip";
      state.set(name, affinities);
      return undefined;
    },
    preScore(_pod, _nodes, state) {
      const affinities = state.get(name) as Affinities | undefined;
      return affinities?.preferred.length ? undefined : "skip";
    },
    filter(_pod, node, state) {
      const affinities = state.get(name) as Affinities | undefined;
      return affinities && rejectionOf(affinities, node);
    },
    score(_pod, node, state) {
      const affinities = state.get(name) as Affinities | undefined;
      if (!affinities) return 0;
      return affinities.preferred.reduce(
        (sum, { counter, weight }) => sum + weight * (counter.at(node.name) ?? 0),
        0,
      );
    },
    normalize: normalizeBetween,
    helpedBy: (event, pod) => helps(event, pod, counts),
  };
}

function affinitiesOf(
  { placed: { shape } }: PendingPod,
  counts: DomainCounts,
): Affinities | undefined {
  const { affinity, antiAffinity, preferred } = counts.termsOf(shape);
  const owned = [...counts.owned].filter(({ term }) => term.matches(shape));
  if (owned.length === 0 && shape.affinity === undefined) return undefined;
  return {
    near: nearQueries(affinity).map((query) => counts.counter(query)),
    nearItself: affinity.every((term) => term.matches(shape)),
    apart: antiAffinity.map((term) => counts.counter(queryOf(term))),
    shunning: owned.filter(({ kind }) => kind === "antiAffinity").map(({ counter }) => counter),
    preferred: [
      ...preferred.map(({ term, weight }) => ({ counter: counts.counter(queryOf(term)), weight })),
      ...owned.filter(({ weight }) => weight !== 0),
    ],
  };
}

function queryOf(term: AffinityTerm): CountQuery {
  const { key, topologyKey, matches, readsNamespaces } = term;
  return { key, topologyKey, matches, readsNamespaces };
}

/** A pod counts towards affinity when all terms match it, in the domains of each. */
function nearQueries(terms: readonly AffinityTerm[]): readonly CountQuery[] {
  const key = `all ${terms.map((term) => term.key).join(" ")}`;
  const readsNamespaces = terms.some((term) => term.readsNamespaces);
  return terms.map(({ topologyKey }) => ({
    key,
    topologyKey,
    readsNamespaces,
    matches: (pod) => terms.every((term) => term.matches(pod)),
  }));
}

function rejectionOf(affinities: Affinities, { name: node }: NodeState) {
  const { near, nearItself, apart, shunning } = affinities;
  if (near.some((counter) => !counter.at(node))) {
    const first = nearItself && near.every((counter) => counter.total === 0);
    const inDomains = near.every((counter) => counter.at(node) !== undefined);
    if (!(first && inDomains)) return affinityRejection;
  }
  if (apart.some((counter) => counter.at(node))) return antiAffinityRejection;
  if (shunning.some((counter) => counter.at(node))) return existingRejection;
  return undefined;
}

function normalizeBetween(scores: number[]): void {
  const max = Math.max(0, ...scores);
  const min = Math.min(0, ...scores);
  for (const [index, score] of scores.entries()) {
    scores[index] = max === min ? 0 : Math.floor((scoreMax * (score - min)) / (max - min));
  }
}

function helps(
  event: ClusterEvent,
  { placed: { shape } }: PendingPod,
  counts: DomainCounts,
): boolean {
  const { affinity, antiAffinity } = counts.termsOf(shape);
  switch (event.kind) {
    case "nodeAdded":
    case "namespaceChanged":
      return true;
    case "nodeChanged":
      return event.changes.has("labels");
    case "claimChanged":
    case "storageChanged":
    case "deviceClaimChanged":
    case "devicesChanged":
    case "podShrank":
      return false;
    case "podPlaced":
      return affinity.length > 0 && affinity.every((term) => term.matches(event.pod.shape));
    case "podGone": {
      const gone = event.pod.shape;
      // Without any pod to be near to, the first of a kind may go anywhere.
      if (affinity.some((term) => term.matches(gone))) return true;
      if (antiAffinity.some((term) => term.matches(gone))) return true;
      return counts.termsOf(gone).antiAffinity.some((term) => term.matches(shape));
    }
  }
}
