import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type {
  LabelSelector,
  Node,
  Pod,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from "#api/generated/types.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import type { ClusterEvent, PendingPod } from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { bestCandidate, candidateOn } from "#scheduler/plugins/default-preemption.ts";
import { filterPlugins } from "#scheduler/plugins/builtin-plugins.ts";
import { SchedulingCycle, unplacedMessage } from "#scheduler/scheduling-cycle.ts";

type Labels = Record<string, string>;

const zoneKey = "topology.kubernetes.io/zone";
const hostKey = "kubernetes.io/hostname";

const node = (name: string, zone?: string, labels: Labels = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { [hostKey]: name, ...(zone && { [zoneKey]: zone }), ...labels } },
  spec: {},
  status: { allocatable: { cpu: "4", memory: "8Gi", pods: "110" } },
});

interface PodFacts {
  readonly labels?: Labels;
  readonly on?: string;
  readonly namespace?: string;
  readonly spec?: Partial<PodSpec>;
}

const pod = (name: string, { labels = {}, on, namespace = "a", spec }: PodFacts = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, uid: name, labels },
  spec: { containers: [], ...spec, ...(on && { nodeName: on }) },
});

const pending = (each: Pod): PendingPod => ({ pod: each, placed: placedPod(each) });

function cluster(nodes: readonly Node[], placed: readonly Pod[] = []): ClusterState {
  const state = new ClusterState();
  for (const each of nodes) state.putNode(each);
  for (const each of placed) state.putPod(each);
  return state;
}

/** For each node what it says, and in the end where the pod goes. */
function verdicts(state: ClusterState, wanted: Pod): Labels {
  const cycle = new SchedulingCycle(filterPlugins(state), seededRandom(1));
  const result = cycle.run(pending(wanted), state.nodes);
  if (result.kind === "placed") return { placed: result.nodeName };
  return Object.fromEntries(
    [...result.rejections].map(([name, { reasons }]) => [name, reasons.join(", ")]),
  );
}

const web: LabelSelector = { matchLabels: { app: "web" } };
const required = (...terms: PodAffinityTerm[]) => ({
  requiredDuringSchedulingIgnoredDuringExecution: terms,
});
const preferred = (podAffinityTerm: PodAffinityTerm) => ({
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }],
});
const near = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAffinity: required(...terms) },
});
const apart = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
  affinity: { podAntiAffinity: required(...terms) },
});
const byZone = { labelSelector: web, topologyKey: zoneKey };
const byHost = { labelSelector: web, topologyKey: hostKey };
const zones = [node("a1", "a"), node("a2", "a"), node("b1", "b"), node("none")];
const inWeb = { labels: { app: "web" } };

const notNear = "node(s) didn't match pod affinity rules";
const notApart = "node(s) didn't match pod anti-affinity rules";
const shunned = "node(s) didn't satisfy existing pods anti-affinity rules";
const skewed = "node(s) didn't match pod topology spread constraints";
const unlabelled = `${skewed} (missing required label)`;

test("InterPodAffinity places pods near to and apart from others, in upstream's words", () => {
  const one = pod("one", { ...inWeb, on: "a1" });
  const all = (text: string) => ({ a1: text, a2: text, b1: text, none: text });
  const cases: [string, Pod[], Pod, Labels][] = [
    ["nobody to be near to", [], pod("p", { spec: near(byZone) }), all(notNear)],
    [
      "the first of its kind, where the label is",
      [pod("full", { on: "b1", spec: apart({ topologyKey: zoneKey, labelSelector: {} }) })],
      pod("p", { ...inWeb, spec: { ...near(byZone), nodeSelector: { [hostKey]: "none" } } }),
      {
        a1: "node(s) didn't match Pod's node affinity/selector",
        a2: "node(s) didn't match Pod's node affinity/selector",
        b1: "node(s) didn't match Pod's node affinity/selector",
        none: notNear,
      },
    ],
    [
      "another namespace does not count",
      [one],
      pod("p", { namespace: "b", spec: near(byZone) }),
      all(notNear),
    ],
    [
      "unless it is named; then apart on the node too",
      [one, pod("two", { ...inWeb, on: "a2" })],
      pod("p", {
        namespace: "b",
        spec: {
          affinity: {
            podAffinity: required({ ...byZone, namespaces: ["a"] }),
            podAntiAffinity: required({ ...byHost, namespaceSelector: {} }),
          },
        },
      }),
      { a1: notApart, a2: notApart, b1: notNear, none: notNear },
    ],
    [
      "apart by zone, and those there want to be apart",
      [one, pod("loner", { on: "b1", spec: apart(byZone) }), pod("x", { ...inWeb, on: "none" })],
      pod("p", { ...inWeb, spec: apart(byZone, byHost) }),
      { a1: notApart, a2: notApart, b1: shunned, none: notApart },
    ],
    [
      "the pod's own revision only",
      [pod("old", { labels: { app: "web", rev: "1" }, on: "a1" })],
      pod("p", {
        labels: { app: "web", rev: "2" },
        spec: near({ ...byZone, matchLabelKeys: ["rev"] }, byHost),
      }),
      { placed: "b1" },
    ],
    [
      "others' revisions only",
      [pod("old", { labels: { app: "web", rev: "1" }, on: "b1" })],
      pod("p", {
        labels: { app: "web", rev: "1" },
        spec: { ...near({ ...byZone, mismatchLabelKeys: ["rev"] }) },
      }),
      all(notNear),
    ],
    [
      "preferred",
      [pod("b", { ...inWeb, on: "b1" })],
      pod("p", { spec: { affinity: { podAffinity: preferred(byZone) } } }),
      { placed: "b1" },
    ],
  ];
  for (const [what, placed, wanted, expected] of cases) {
    const verdict = verdicts(cluster(zones, placed), wanted);
    if (what === "the pod's own revision only") {
      // The first of its revision may go to any node with both labels.
      deepEqual(Object.keys(verdict), ["placed"], what);
    } else deepEqual(verdict, expected, what);
  }
});

test("InterPodAffinity selects namespaces by their labels, and follows when these change", () => {
  const state = cluster(zones, [pod("one", { ...inWeb, on: "b1", namespace: "shop" })]);
  const namespaceSelector = { matchLabels: { team: "x" } };
  const wanted = pod("p", { spec: near({ ...byHost, namespaceSelector }) });
  const results = [undefined, { team: "x" }, { team: "y" }].map((labels) => {
    state.counts.putNamespace("shop", labels);
    return verdicts(state, wanted)["placed"];
  });
  deepEqual(results, [undefined, "b1", undefined]);
});

const spread = (...topologySpreadConstraints: TopologySpreadConstraint[]): Partial<PodSpec> => ({
  topologySpreadConstraints,
});
const evenZones: TopologySpreadConstraint = {
  ...byZone,
  maxSkew: 1,
  whenUnsatisfiable: "DoNotSchedule",
};

test("PodTopologySpread keeps the skew, counts domains and nodes as told, and prefers the emptiest", () => {
  const one = pod("one", { ...inWeb, on: "a1" });
  const tainted = { ...node("c1", "c"), spec: { taints: [{ key: "k", effect: "NoSchedule" }] } };
  const cases: [string, Node[], Pod[], Partial<PodSpec>, Labels][] = [
    ["the emptier zone", zones, [one], spread(evenZones), { placed: "b1" }],
    [
      "too few domains",
      zones,
      [one, pod("two", { ...inWeb, on: "b1" })],
      spread({ ...evenZones, minDomains: 3 }),
      { a1: skewed, a2: skewed, b1: skewed, none: unlabelled },
    ],
    [
      "a tainted zone counts by default",
      [...zones, tainted],
      [one, pod("two", { ...inWeb, on: "b1" })],
      spread(evenZones),
      {
        a1: skewed,
        a2: skewed,
        b1: skewed,
        none: unlabelled,
        c1: "node(s) had untolerated taint(s)",
      },
    ],
    [
      "and not where taints are honoured",
      [node("b1", "b"), tainted],
      [pod("two", { ...inWeb, on: "b1" })],
      spread({ ...evenZones, nodeTaintsPolicy: "Honor" }),
      { placed: "b1" },
    ],
    [
      "zones that node affinity excludes do not count",
      zones,
      [one],
      { ...spread(evenZones), nodeSelector: { [zoneKey]: "a", [hostKey]: "a2" } },
      {
        a1: "node(s) didn't match Pod's node affinity/selector",
        b1: "node(s) didn't match Pod's node affinity/selector",
        none: "node(s) didn't match Pod's node affinity/selector",
      },
    ],
    [
      "softly",
      zones,
      [one],
      spread({ ...evenZones, whenUnsatisfiable: "ScheduleAnyway" }),
      { placed: "b1" },
    ],
  ];
  for (const [what, nodes, placed, spec, expected] of cases) {
    const verdict = verdicts(cluster(nodes, placed), pod("p", { ...inWeb, spec }));
    if (what.startsWith("zones that")) deepEqual(verdict, { placed: "a2" }, what);
    else deepEqual(verdict, expected, what);
  }
});

test("DomainCounts says after any changes what a fresh count says", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seededRandom(seed);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    const state = new ClusterState();
    const nodes = new Map<string, Node>();
    const pods = new Map<string, Pod>();
    for (let step = 0; step < 120; step++) {
      const name = pick(["n1", "n2", "n3", "n4", "n5"]);
      const chance = random();
      if (chance < 0.2) {
        nodes.set(name, node(name, pick(["a", "b", undefined]), { disk: pick(["ssd", "hdd"]) }));
        state.putNode(nodes.get(name)!);
      } else if (chance < 0.25) {
        nodes.delete(name);
        state.removeNode(name);
      } else if (chance < 0.4) {
        const gone = pick([...pods.keys(), "nobody"]);
        pods.delete(gone);
        state.removePod(gone);
      } else if (chance < 0.8) {
        const made = randomPod(`p${step}`, random, name);
        pods.set(made.metadata.name!, made);
        state.putPod(made);
      } else {
        const wanted = randomPod("wanted", random);
        const fresh = cluster([...nodes.values()], [...pods.values()]);
        deepEqual(filtered(state, wanted), filtered(fresh, wanted), `seed ${seed}, step ${step}`);
      }
    }
  }
});

function randomPod(name: string, random: Random, on?: string): Pod {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const term = { labelSelector: { matchLabels: { app: pick(["web", "db"]) } } };
  const topologyKey = pick([zoneKey, hostKey]);
  const spec = pick<Partial<PodSpec>>([
    {},
    near({ ...term, topologyKey }),
    apart({ ...term, topologyKey }, { ...term, topologyKey: "disk", namespaces: ["b"] }),
    { ...spread({ ...evenZones, ...term, topologyKey }), nodeSelector: { disk: "ssd" } },
    spread({ ...evenZones, ...term, maxSkew: 2 }, { ...evenZones, topologyKey: hostKey }),
  ]);
  const facts = { labels: { app: pick(["web", "db"]) }, namespace: pick(["a", "b"]), spec };
  return pod(name, { ...facts, ...(on && { on }) });
}

function filtered(state: ClusterState, wanted: Pod): Record<string, string> {
  const cycle = new SchedulingCycle(filterPlugins(state), seededRandom(1));
  const plugins = filterPlugins(state);
  const memory = new Map<string, unknown>();
  for (const { preFilter } of plugins) preFilter?.(pending(wanted), memory);
  return Object.fromEntries(
    state.nodes.map((each) => [each.name, String(cycle.fits(pending(wanted), each, memory))]),
  );
}

test("A pod rejected for its relation to others is helped by the changes that can help", () => {
  const state = cluster(zones);
  const plugins = new Map(filterPlugins(state).map((plugin) => [plugin.name, plugin]));
  const other = placedPod(pod("other", { labels: { app: "db" } }));
  const friend = placedPod(pod("friend", inWeb));
  const events: ClusterEvent[] = [
    { kind: "nodeAdded" },
    { kind: "nodeChanged", changes: new Set(["allocatable"]) },
    { kind: "nodeChanged", changes: new Set(["labels"]) },
    { kind: "podPlaced", pod: other },
    { kind: "podPlaced", pod: friend },
    { kind: "podGone", pod: other },
    { kind: "podGone", pod: friend },
  ];
  const helped = (plugin: string, spec: Partial<PodSpec>) =>
    events.map((event) => plugins.get(plugin)?.helpedBy?.(event, pending(pod("p", { spec }))));
  deepEqual(
    [
      helped("InterPodAffinity", near(byZone)),
      helped("InterPodAffinity", apart(byZone)),
      helped("PodTopologySpread", spread(evenZones)),
    ],
    [
      [true, false, true, false, true, false, true],
      [true, false, true, false, false, false, true],
      [true, false, true, false, true, false, true],
    ],
  );
});

test("Preemption spares pods that a budget protects, and makes room for pods that must be apart", () => {
  const low = (name: string, on: string, labels: Labels) => pod(name, { on, labels });
  const state = cluster(
    [node("a1", "a"), node("b1", "b")],
    [low("guarded", "a1", { app: "web", tier: "1" }), low("free", "b1", { app: "web" })],
  );
  const budget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "b", namespace: "a" },
    spec: { selector: { matchLabels: { tier: "1" } } },
    status: { currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0, expectedPods: 1 },
  };
  const wanted = pending(pod("p", { spec: { ...apart(byHost), priority: 10 } }));
  const cycle = new SchedulingCycle(filterPlugins(state), seededRandom(1));
  const result = cycle.run(wanted, state.nodes);
  if (result.kind === "placed") throw new Error("There is no room yet");
  const failed = {
    pod: wanted,
    nodes: state.nodes,
    state: result.state,
    rejections: result.rejections,
    fits: (each: (typeof state.nodes)[number]) => cycle.fits(wanted, each, result.state),
    signal: new AbortController().signal,
  };
  const candidates = state.nodes.flatMap((each) => candidateOn(each, failed, () => [budget]));
  deepEqual(
    [
      unplacedMessage(2, result, undefined),
      candidates.map(({ node: { name }, violations }) => [name, violations]),
      bestCandidate(candidates)?.victims.map(({ name }) => name),
    ],
    [
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.",
      [
        ["a1", 1],
        ["b1", 0],
      ],
      ["free"],
    ],
  );
});
