import type { Node, Pod, TopologySpreadConstraint } from "#api/generated/types.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { matchesRequired } from "#reconcile/node-selector.ts";
import { isTolerated } from "#reconcile/taints.ts";
import {
  scoreMax,
  type ClusterEvent,
  type PendingPod,
  type Plugin,
  type Rejection,
} from "#scheduler/framework.ts";
import type { NodeState } from "#scheduler/node-state.ts";
import { withLabelKeys } from "#scheduler/topology/affinity-terms.ts";
import type { CountQuery, DomainCounts } from "#scheduler/topology/domain-counts.ts";
import type { DomainCounter } from "#scheduler/topology/domains.ts";
import type { PodShape } from "#scheduler/topology/pod-shape.ts";

const name = "PodTopologySpread";
const hostname = "kubernetes.io/hostname";
const zone = "topology.kubernetes.io/zone";

const skewRejection: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints"],
  unresolvable: false,
};
const labelRejection: Rejection = {
  reasons: ["node(s) didn't match pod topology spread constraints (missing required label)"],
  unresolvable: true,
};

interface Spread {
  readonly counter: DomainCounter;
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  /** 1 when the pod counts itself. */
  readonly self: 0 | 1;
}

interface SoftSpread extends Spread {
  /** Makes up for a topology having few or many domains. */
  domainWeight: number;
}

interface SpreadState {
  readonly hard: readonly Spread[];
  readonly soft: readonly SoftSpread[];
  /** Whether nodes without one of the labels score nothing. */
  readonly needsAllLabels: boolean;
}

/**
 * Keeps the pods that a constraint selects evenly spread over zones, nodes or other domains. Pods of a controller that
 * give no constraints are spread over nodes and zones as far as that is possible.
 */
export function createPodTopologySpread(counts: DomainCounts): Plugin {
  return {
    name,
    weight: 2,
    preFilter(pod, state) {
      const spread = spreadOf(pod, counts);
      if (spread) state.set(name, spread);
      return spread?.hard.length ? undefined : "skip";
    },
    filter(_pod, node, state) {
      const spread = state.get(name) as SpreadState | undefined;
      return spread && rejectionOf(spread.hard, node);
    },
    preScore(_pod, nodes, state) {
      const spread = state.get(name) as SpreadState | undefined;
      if (!spread?.soft.length) return "skip";
      weighDomains(spread, nodes);
      return undefined;
    },
    score(_pod, node, state) {
      const spread = state.get(name) as SpreadState | undefined;
      return spread ? scoreOf(spread, node) : 0;
    },
    normalize: normalizeFewest,
    helpedBy: (event, pod) => helps(event, pod),
  };
}

function spreadOf(pending: PendingPod, counts: DomainCounts): SpreadState | undefined {
  const constraints = pending.pod.spec?.topologySpreadConstraints ?? [];
  if (constraints.length === 0) return defaultSpread(pending.placed.shape, counts);
  const pick = (whenUnsatisfiable: string): readonly Spread[] => {
    const picked = constraints.filter((each) => each.whenUnsatisfiable === whenUnsatisfiable);
    return picked.map((constraint) => spreadBy(constraint, { picked, pending, counts }));
  };
  const soft = pick("ScheduleAnyway").map((spread) => ({ ...spread, domainWeight: 0 }));
  return { hard: pick("DoNotSchedule"), soft, needsAllLabels: true };
}

interface SpreadContext {
  /** All constraints of the same strictness: a node counts only with the labels of all. */
  readonly picked: readonly TopologySpreadConstraint[];
  readonly pending: PendingPod;
  readonly counts: DomainCounts;
}

function spreadBy(constraint: TopologySpreadConstraint, context: SpreadContext): Spread {
  const { picked, pending, counts } = context;
  const { topologyKey, maxSkew, minDomains = 1 } = constraint;
  const { shape } = pending.placed;
  const selector = selectorOf(constraint, shape);
  const matcher = labelSelectorMatcher(selector);
  const counter = counts.counter({
    key: JSON.stringify(["spread", shape.namespace, selector]),
    topologyKey,
    // An empty selector counts nothing.
    matches: ({ namespace, labels, terminating }) =>
      !terminating &&
      !matcher.matchesEverything &&
      namespace === shape.namespace &&
      matcher.matches(labels),
    nodes: nodesThatCount(constraint, picked, pending.pod),
  });
  return { counter, topologyKey, maxSkew, minDomains, self: matcher.matches(shape.labels) ? 1 : 0 };
}

function selectorOf({ labelSelector, matchLabelKeys }: TopologySpreadConstraint, shape: PodShape) {
  return withLabelKeys(labelSelector, shape.labels, { same: matchLabelKeys ?? [] });
}

function nodesThatCount(
  { nodeAffinityPolicy, nodeTaintsPolicy }: TopologySpreadConstraint,
  picked: readonly TopologySpreadConstraint[],
  pod: Pod,
): NonNullable<CountQuery["nodes"]> {
  const labels = picked.map(({ topologyKey }) => topologyKey).toSorted();
  const { nodeSelector, affinity, tolerations = [] } = pod.spec ?? {};
  const choosy = nodeSelector !== undefined || affinity?.nodeAffinity !== undefined;
  const byAffinity = nodeAffinityPolicy !== "Ignore" && choosy;
  const byTaints = nodeTaintsPolicy === "Honor";
  const affinityKey = byAffinity && [nodeSelector, affinity?.nodeAffinity];
  return {
    key: JSON.stringify([labels, affinityKey, byTaints && tolerations]),
    counts: (node) =>
      labels.every((label) => node.metadata.labels?.[label] !== undefined) &&
      (!byAffinity || matchesRequired(pod, node)) &&
      (!byTaints || toleratesAll(pod, node)),
  };
}

function toleratesAll({ spec }: Pod, node: Node): boolean {
  return (node.spec?.taints ?? []).every(
    (taint) => taint.effect === "PreferNoSchedule" || isTolerated(spec?.tolerations ?? [], taint),
  );
}

/** Upstream's defaults: softly over nodes and zones. */
function defaultSpread(shape: PodShape, counts: DomainCounts): SpreadState | undefined {
  const { ownerUid } = shape;
  if (ownerUid === "") return undefined;
  const over = (topologyKey: string, maxSkew: number): SoftSpread => ({
    counter: counts.counter({
      key: `owner ${ownerUid}`,
      topologyKey,
      matches: (pod) => pod.ownerUid === ownerUid && !pod.terminating,
    }),
    topologyKey,
    maxSkew,
    minDomains: 1,
    self: 1,
    domainWeight: 0,
  });
  return { hard: [], soft: [over(hostname, 3), over(zone, 5)], needsAllLabels: false };
}

function rejectionOf(hard: readonly Spread[], node: NodeState): Rejection | undefined {
  for (const { counter, topologyKey, maxSkew, minDomains, self } of hard) {
    const value = node.node.metadata.labels?.[topologyKey];
    if (value === undefined) return labelRejection;
    const { least, domains } = counter;
    const floor = domains.size < minDomains ? 0 : least;
    if (counter.ofValue(value) + self - floor > maxSkew) return skewRejection;
  }
  return undefined;
}

function weighDomains({ soft, needsAllLabels }: SpreadState, nodes: readonly NodeState[]): void {
  const scored = needsAllLabels ? nodes.filter((node) => hasAllLabels(node, soft)) : nodes;
  for (const spread of soft) {
    const { topologyKey } = spread;
    const size =
      topologyKey === hostname
        ? scored.length
        : new Set(scored.map(({ node }) => node.metadata.labels?.[topologyKey])).size;
    spread.domainWeight = Math.log(size + 2);
  }
}

function hasAllLabels({ node }: NodeState, spreads: readonly Spread[]): boolean {
  return spreads.every(({ topologyKey }) => node.metadata.labels?.[topologyKey] !== undefined);
}

/** Low is good; not a number for a node that must score nothing. */
function scoreOf({ soft, needsAllLabels }: SpreadState, node: NodeState): number {
  if (needsAllLabels && !hasAllLabels(node, soft)) return Number.NaN;
  let score = 0;
  for (const { counter, topologyKey, maxSkew, domainWeight } of soft) {
    const value = node.node.metadata.labels?.[topologyKey];
    if (value !== undefined) score += counter.ofValue(value) * domainWeight + maxSkew - 1;
  }
  return Math.round(score);
}

function normalizeFewest(scores: number[]): void {
  const valid = scores.filter((score) => !Number.isNaN(score));
  const max = Math.max(0, ...valid);
  const min = Math.min(...valid);
  for (const [index, score] of scores.entries()) {
    if (Number.isNaN(score)) scores[index] = 0;
    else scores[index] = max === 0 ? scoreMax : Math.floor((scoreMax * (max + min - score)) / max);
  }
}

function helps(event: ClusterEvent, { pod, placed: { shape } }: PendingPod): boolean {
  switch (event.kind) {
    case "nodeAdded":
      return true;
    case "nodeChanged":
      return event.changes.has("labels") || event.changes.has("taints");
    case "namespaceChanged":
    case "claimChanged":
    case "storageChanged":
    case "deviceClaimChanged":
    case "devicesChanged":
    case "podShrank":
      return false;
    case "podPlaced":
    case "podGone": {
      const other = event.pod.shape;
      if (other.namespace !== shape.namespace) return false;
      return (pod.spec?.topologySpreadConstraints ?? []).some((constraint) =>
        labelSelectorMatcher(selectorOf(constraint, shape)).matches(other.labels),
      );
    }
  }
}
