import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Node, NodeSpec, Pod, PodSpec, PodStatus } from "#api/generated/types.ts";
import { seededRandom } from "#base/random.ts";
import { podAmounts } from "#scheduler/amounts.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import type { PendingPod } from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { bestCandidate, candidateOn } from "#scheduler/plugins/default-preemption.ts";
import { filterPlugins } from "#scheduler/plugins/builtin-plugins.ts";
import { pluginNames } from "#scheduler/plugins/plugin-names.ts";
import { feasibleWanted, SchedulingCycle, unplacedMessage } from "#scheduler/scheduling-cycle.ts";

interface NodeFacts {
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Record<string, string>;
  readonly spec?: NodeSpec;
}

const node = (name: string, facts: NodeFacts = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: facts.labels ?? {} },
  spec: facts.spec ?? {},
  status: {
    allocatable: {
      cpu: facts.cpu ?? "4",
      memory: facts.memory ?? "8Gi",
      pods: facts.pods ?? "110",
    },
  },
});

const podOf = (name: string, spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "a", uid: name },
  spec: { containers: [], ...spec },
});

const wanting = (cpu: string, memory = "1Gi") => ({
  containers: [{ name: "c", resources: { requests: { cpu, memory } } }],
});

const pending = (pod: Pod): PendingPod => ({ pod, placed: placedPod(pod) });

function cluster(nodes: readonly Node[], placed: readonly Pod[] = []): ClusterState {
  const state = new ClusterState();
  for (const each of nodes) state.putNode(each);
  for (const pod of placed) state.putPod(pod);
  return state;
}

function outcome(state: ClusterState, pod: Pod): string {
  const cycle = new SchedulingCycle(filterPlugins(state), seededRandom(1));
  const result = cycle.run(pending(pod), state.nodes);
  if (result.kind === "placed") return result.nodeName;
  return unplacedMessage(state.nodes.length, result, undefined);
}

test("SchedulingCycle says why no node fits, in upstream's words", () => {
  const state = cluster(
    [
      node("cordoned", { spec: { unschedulable: true } }),
      node("tainted", { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } }),
      node("small", { cpu: "100m", memory: "1Mi" }),
      node("full", { pods: "0" }),
      node("other", { labels: { zone: "b" } }),
      node("ports"),
    ],
    [
      podOf("taker", {
        nodeName: "ports",
        containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }],
      }),
    ],
  );
  const pod = podOf("p", {
    containers: [
      {
        name: "c",
        resources: { requests: { cpu: "1", memory: "1Gi", "example.com/gpu": "1" } },
        ports: [{ containerPort: 80, hostPort: 80 }],
      },
    ],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["b"] }] },
          ],
        },
      },
    },
  });
  equal(
    outcome(state, pod),
    "0/6 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods, " +
      "1 node(s) didn't have free ports for the requested pod ports, " +
      "1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), " +
      "1 node(s) were unschedulable, 2 Insufficient example.com/gpu.",
  );
  equal(outcome(cluster([]), pod), "no nodes available to schedule pods");
});

test("pluginNames names the built-in plugins in their order", () => {
  const others = new Set([
    "PrioritySort",
    "DynamicResources",
    "DefaultPreemption",
    "PodGroup",
    "DefaultBinder",
  ]);
  const volumes = { client: {}, clock: {}, storage: {} } as never;
  deepEqual(
    [...pluginNames].filter((name) => !others.has(name)),
    filterPlugins(cluster([]), volumes).map(({ name }) => name),
  );
});

test("SchedulingCycle prefers the emptiest and most balanced node, affinity and fewer soft taints", () => {
  const soft = { spec: { taints: [{ key: "k", effect: "PreferNoSchedule" }] } };
  const busy = podOf("busy", { nodeName: "one", ...wanting("2") });
  equal(outcome(cluster([node("one"), node("two")], [busy]), podOf("p", wanting("1"))), "two");
  equal(outcome(cluster([node("one", soft), node("two")]), podOf("p")), "two");
  const preferring = podOf("p", {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 50, preference: { matchExpressions: [{ key: "ssd", operator: "Exists" }] } },
        ],
      },
    },
  });
  const labelled = node("one", { labels: { ssd: "" } });
  equal(outcome(cluster([labelled, node("two")]), preferring), "one");
});

test("SchedulingCycle counts assumed pods at once and forgets those that go", () => {
  const state = cluster([node("one", { cpu: "1" })]);
  const first = podOf("first", wanting("600m"));
  equal(outcome(state, first), "one");
  state.place(placedPod(first), "one");
  const full = "0/1 nodes are available: 1 Insufficient cpu.";
  equal(outcome(state, podOf("second", wanting("600m"))), full);
  state.removePod("first");
  equal(outcome(state, podOf("second", wanting("600m"))), "one");
});

test("ClusterState keeps the pods of a node that comes later, or again", () => {
  const state = cluster([], [podOf("p", { nodeName: "late", ...wanting("3") })]);
  state.putNode(node("late"));
  equal(state.node("late")?.requested.milliCpu, 3000);
  state.removeNode("late");
  state.putNode(node("late"));
  equal(state.node("late")?.requested.milliCpu, 3000);
});

test("podAmounts() takes the peak of the start where it is more than the running pod", () => {
  const container = (name: string, cpu: string, restartPolicy?: string) => ({
    name,
    resources: { requests: { cpu } },
    ...(restartPolicy && { restartPolicy }),
  });
  const cases: [Partial<PodSpec>, number][] = [
    [{ containers: [container("a", "100m"), container("b", "200m")] }, 300],
    [{ containers: [container("a", "100m")], initContainers: [container("i", "1")] }, 1000],
    [
      {
        containers: [container("a", "100m")],
        initContainers: [container("side", "200m", "Always"), container("i", "500m")],
        overhead: { cpu: "10m" },
      },
      710,
    ],
    [{ containers: [container("a", "100m")], resources: { requests: { cpu: "2" } } }, 2000],
  ];
  deepEqual(
    cases.map(([spec]) => podAmounts(podOf("p", spec)).requests.milliCpu),
    cases.map(([, milliCpu]) => milliCpu),
  );
});

test("podAmounts() counts the larger of what is asked for and given while a pod is resized", () => {
  const containers = [{ name: "a", resources: { requests: { cpu: "2" } } }];
  const given = (allocated: string, actual: string) => ({
    containerStatuses: [
      {
        name: "a",
        allocatedResources: { cpu: allocated },
        resources: { requests: { cpu: actual } },
      } as never,
    ],
  });
  const infeasible = [{ type: "PodResizePending", status: "True", reason: "Infeasible" }];
  const overhead = { cpu: "10m" };
  const whole = { containers, overhead, resources: { requests: { cpu: "4" } } };
  const shown = { allocatedResources: { cpu: "6010m" }, resources: { requests: { cpu: "5010m" } } };
  const cases: [Partial<PodSpec>, PodStatus, number][] = [
    [{ containers }, given("1", "500m"), 2000],
    [{ containers }, given("1", "3"), 3000],
    [{ containers }, { ...given("1", "500m"), conditions: infeasible }, 1000],
    [{ containers: [], initContainers: containers }, given("3", "3"), 2000],
    [whole, shown, 6010],
    [whole, { conditions: infeasible, ...shown }, 6010],
    [whole, {}, 4010],
  ];
  deepEqual(
    cases.map(([spec, status]) => podAmounts({ ...podOf("p", spec), status }).requests.milliCpu),
    cases.map(([, , milliCpu]) => milliCpu),
  );
});

test("feasibleWanted() samples large clusters as upstream does", () => {
  deepEqual(
    [3, 100, 150, 1000, 5000, 20_000].map((nodes) => feasibleWanted(nodes)),
    [3, 100, 100, 420, 500, 1000],
  );
});

test("candidateOn() finds the least important pods whose going makes room, and leaves the node alone", () => {
  const low = (name: string, priority: number, cpu: string) =>
    podOf(name, { nodeName: "one", priority, ...wanting(cpu) });
  const state = cluster(
    [node("one", { cpu: "4" }), node("two", { cpu: "1" })],
    [low("a", 10, "1"), low("b", 5, "1"), low("c", 1, "2")],
  );
  const pod = pending(podOf("p", { priority: 100, ...wanting("2") }));
  const cycle = new SchedulingCycle(filterPlugins(state), seededRandom(1));
  const failed = {
    pod,
    state: new Map(),
    nodes: state.nodes,
    rejections: new Map(),
    fits: (each: (typeof state.nodes)[number]) => cycle.fits(pod, each, new Map()),
    signal: new AbortController().signal,
  };
  const best = bestCandidate(state.nodes.flatMap((each) => candidateOn(each, failed, () => [])));
  deepEqual(
    [best?.node.name, best?.victims.map(({ name }) => name), state.node("one")?.requested.milliCpu],
    ["one", ["c"], 4000],
  );
});
