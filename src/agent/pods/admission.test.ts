import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, PodSpec } from "#api/generated/types.ts";
import { allocatableOf } from "#agent/node/allocatable.ts";
import { usualSettings } from "#agent/node/node-settings.ts";
import { podLimits } from "#agent/node/pod-cgroups.ts";
import {
  type AdmissionFacts,
  admitPod,
  answerResize,
  type ResizeFacts,
} from "#agent/pods/admit-pod.ts";
import { podAmount } from "#agent/pods/pod-amounts.ts";
import { choosePreempted } from "#agent/pods/preemption.ts";
import { orderResizes, type WaitingResize } from "#agent/pods/resize-order.ts";
import { shortagesOf } from "#agent/pods/room.ts";
import { sysctlName } from "#agent/pods/security-admission.ts";

const facts: AdmissionFacts = {
  pressures: new Set(),
  security: {
    hasAppArmor: true,
    supplementalGroupsPolicy: true,
    allowedUnsafeSysctls: ["net.core.*"],
  },
  others: [],
  allocatable: { cpu: "2", memory: "1Gi", pods: "2", "example.com/gpu": "1" },
  node: {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n", labels: { disk: "fast", "kubernetes.io/os": "linux" } },
  },
  system: "linux",
};

function podOf(spec: Partial<PodSpec> = {}, name = "p"): Pod {
  const containers = [{ name: "c", image: "i" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, uid: name },
    spec: { containers, ...spec },
  };
}

const asking = (requests: Record<string, string>, name = "p"): Pod =>
  podOf({ containers: [{ name: "c", image: "i", resources: { requests } }] }, name);

const sysctl = (name: string, more: Partial<PodSpec> = {}): Pod =>
  podOf({ ...more, securityContext: { sysctls: [{ name, value: "1" }] } });

test("admitPod() refuses in upstream's words", () => {
  const answers = (pod: Pod, more: Partial<AdmissionFacts> = {}): unknown => {
    const end = admitPod(pod, { ...facts, ...more });
    return end && [end.reason, end.message];
  };
  const short = "Node didn't have enough resource:";
  const table: readonly [unknown, unknown][] = [
    [answers(podOf()), undefined],
    [
      answers(asking({ cpu: "1500m" }), { others: [asking({ cpu: "600m" }, "o")] }),
      ["OutOfcpu", `${short} cpu, requested: 1500, used: 600, capacity: 2000`],
    ],
    [
      answers(asking({ "example.com/gpu": "2" })),
      ["OutOfexample.com/gpu", `${short} example.com/gpu, requested: 2, used: 0, capacity: 1`],
    ],
    [
      answers(podOf(), { others: [podOf({}, "a"), podOf({}, "b")] }),
      ["OutOfpods", `${short} pods, requested: 1, used: 2, capacity: 2`],
    ],
    [answers(sysctl("net/ipv4/tcp_syncookies")), undefined],
    [answers(sysctl("net.core.somaxconn")), undefined],
    [
      answers(sysctl("kernel.sem")),
      ["SysctlForbidden", 'forbidden sysctl: "kernel.sem" not allowlisted'],
    ],
    [
      answers(sysctl("net.core.somaxconn", { hostNetwork: true })),
      [
        "SysctlForbidden",
        'forbidden sysctl: "net.core.somaxconn" not allowed with host net enabled',
      ],
    ],
    [
      answers(podOf(), { pressures: new Set(["DiskPressure"]) }),
      ["Evicted", "The node had condition: [DiskPressure]. "],
    ],
    [answers(asking({ memory: "1Mi" }), { pressures: new Set(["MemoryPressure"]) }), undefined],
    [
      answers(podOf({ priority: 2_000_000_000 }), { pressures: new Set(["PIDPressure"]) }),
      undefined,
    ],
  ];
  for (const [found, expected] of table) deepEqual(found, expected);
});

const onPort = (hostPort: number, more: object = {}, container: object = {}): Partial<PodSpec> => ({
  containers: [
    { name: "c", image: "i", ports: [{ containerPort: 80, hostPort, ...more }], ...container },
  ],
});

test("admitPod() refuses who was put on a node that is not for it, in upstream's words", () => {
  const reason = (pod: Pod, more: Partial<AdmissionFacts> = {}): string | undefined => {
    const end = admitPod(pod, { ...facts, ...more });
    return end && `${end.reason}: ${end.message}`;
  };
  const beside = (mine: Partial<PodSpec>, theirs: Partial<PodSpec>): string | undefined =>
    reason(podOf(mine), { others: [podOf(theirs, "o")] });
  const asInit = (more: object): Partial<PodSpec> => ({
    initContainers: onPort(80, {}, { name: "i", ...more }).containers ?? [],
  });
  const taint = { key: "gone", value: "yes", effect: "NoExecute" };
  const tainted = (effect: string) => ({
    node: { ...facts.node, spec: { taints: [{ ...taint, effect }] } },
  });
  const file = { "kubernetes.io/config.source": "file" };
  const labelled = (metadata: object, spec: Partial<PodSpec> = {}): Pod => {
    const pod = podOf(spec);
    return { ...pod, metadata: { ...pod.metadata, ...metadata } };
  };
  const ports =
    "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
  const affinity =
    "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
  const taints =
    "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate";
  const table: readonly [string, string | undefined, string | undefined][] = [
    ["the same port", beside(onPort(80), onPort(80)), ports],
    ["another port", beside(onPort(80), onPort(81)), undefined],
    ["another protocol", beside(onPort(80), onPort(80, { protocol: "UDP" })), undefined],
    ["TCP is meant", beside(onPort(80), onPort(80, { protocol: "TCP" })), ports],
    ["two addresses", beside(of("10.0.0.1"), of("10.0.0.2")), undefined],
    ["one address", beside(of("10.0.0.1"), of("10.0.0.1")), ports],
    ["every address and one", beside(onPort(80), of("10.0.0.1")), ports],
    ["one address and every", beside(of("10.0.0.1"), of("0.0.0.0")), ports],
    ["a sidecar's port", beside(onPort(80), asInit({ restartPolicy: "Always" })), ports],
    ["an init container's port", beside(asInit({}), onPort(80)), undefined],
    ["a selector that holds", reason(podOf({ nodeSelector: { disk: "fast" } })), undefined],
    ["a selector that does not", reason(podOf({ nodeSelector: { disk: "slow" } })), affinity],
    [
      "first the selector",
      reason(podOf({ nodeSelector: { disk: "slow" }, ...onPort(80) }), {
        others: [podOf(onPort(80))],
      }),
      affinity,
    ],
    [
      "another node's",
      reason(podOf({ nodeName: "m" })),
      "NodeName: Predicate NodeName failed: node(s) didn't match the requested node name",
    ],
    ["a taint", reason(podOf(), tainted("NoExecute")), taints],
    ["a taint for the scheduler", reason(podOf(), tainted("NoSchedule")), undefined],
    ["a toleration", reason(podOf({ tolerations: [taint] }), tainted("NoExecute")), undefined],
    ["a static pod", reason(labelled({ annotations: file }), tainted("NoExecute")), undefined],
    ["the system", reason(podOf({ os: { name: "linux" } })), undefined],
    [
      "another system",
      reason(podOf({ os: { name: "windows" } })),
      "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      "another system's label",
      reason(labelled({ labels: { "kubernetes.io/os": "windows" } }, { os: { name: "windows" } })),
      "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    ],
  ];
  for (const [what, found, expected] of table) equal(found, expected, what);

  function of(hostIP: string): Partial<PodSpec> {
    return onPort(80, { hostIP });
  }
});

test("choosePreempted() ends as few as make room for a critical pod, guaranteed ones last", () => {
  const classed = (name: string, cpu: string, more: { qos: string; priority?: number }): Pod => {
    const pod = asking({ cpu }, name);
    const spec = { ...pod.spec, ...(more.priority && { priority: more.priority }) } as PodSpec;
    return { ...pod, spec, status: { qosClass: more.qos } };
  };
  const critical = (cpu: string): Pod =>
    classed("p", cpu, { qos: "Burstable", priority: 2_000_000_000 });
  const choose = (cpu: string, others: readonly Pod[], pods = "10"): unknown => {
    const pod = critical(cpu);
    const allocatable = { cpu: "2", pods };
    const chosen = choosePreempted(pod, others, shortagesOf(pod, others, allocatable));
    return chosen.kind === "chosen"
      ? chosen.pods.map(({ metadata }) => metadata.name)
      : chosen.message;
  };
  const small = classed("small", "200m", { qos: "Burstable" });
  const large = classed("large", "800m", { qos: "Burstable" });
  const sure = classed("sure", "1", { qos: "Guaranteed" });
  const idle = classed("idle", "0", { qos: "BestEffort" });
  const equalTo = classed("equal", "2", { qos: "Guaranteed", priority: 2_000_000_000 });
  const all = [sure, small, large, idle];
  deepEqual(choose("0", all), []);
  deepEqual(choose("100m", all), ["small"]);
  deepEqual(choose("500m", all), ["large"]);
  deepEqual(choose("1", all), ["large", "small"]);
  deepEqual(choose("1500m", all), ["large", "sure"]);
  deepEqual(choose("0", all, "4"), ["idle"]);
  equal(
    choose("150m", [equalTo]),
    "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 150), ]",
  );
});

test("answerResize() puts off what does not fit now, and refuses what cannot be moved", () => {
  const others = [asking({ cpu: "1" }, "o")];
  const cpuManagerPolicy = "none";
  const answer = (pod: Pod, more: Partial<ResizeFacts> = {}) =>
    answerResize(pod, { ...facts, others, granted: pod, cpuManagerPolicy, ...more });
  const deferred = (requested: number) => ({
    kind: "refused",
    reason: "Deferred",
    message: `Node didn't have enough resource: cpu, requested: ${requested}, used: 1000, capacity: 2000`,
  });
  deepEqual(answer(asking({ cpu: "1" })), { kind: "fits" });
  deepEqual(answer(asking({ cpu: "1500m" })), deferred(1500));
  deepEqual(answer(asking({ cpu: "3" })), deferred(3000));
  const all = (cpu: string, memory = "1Mi") =>
    podOf({
      resources: { requests: { cpu, memory }, limits: { cpu, memory } },
      containers: [of(cpu)],
    });
  const of = (cpu: string) => ({ name: "c", image: "i", resources: { requests: { cpu } } });
  const pinned = { cpuManagerPolicy: "static", granted: all("500m") };
  deepEqual(answer(all("1"), pinned), {
    kind: "refused",
    reason: "Infeasible",
    message: 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"',
  });
  deepEqual(answer(all("500m", "2Mi"), pinned), { kind: "fits" });
  deepEqual(answer(asking({ cpu: "1" }), pinned), { kind: "fits" });
});

test("orderResizes() asks first who needs no more room, then by priority, class and time", () => {
  const waits = (
    name: string,
    cpu: string,
    more: Partial<WaitingResize> & { priority?: number },
  ) => {
    const { priority, ...rest } = more;
    const pod = asking({ cpu }, name);
    const spec = { ...pod.spec, ...(priority !== undefined && { priority }) } as PodSpec;
    return { pod: { ...pod, spec }, granted: asking({ cpu: "1" }), sinceMs: 0, ...rest };
  };
  const guaranteed = waits("guaranteed", "2", { priority: 5, sinceMs: 9 });
  const waiting = [
    waits("late", "2", { priority: 5, sinceMs: 3 }),
    waits("early", "2", { priority: 5, sinceMs: 2 }),
    { ...guaranteed, pod: { ...guaranteed.pod, status: { qosClass: "Guaranteed" } } },
    waits("low", "2", {}),
    waits("high", "2", { priority: 9, sinceMs: 9 }),
    waits("less", "500m", { sinceMs: 9 }),
  ];
  const names = orderResizes(waiting).map(({ pod }) => pod.metadata.name);
  deepEqual(names, ["less", "high", "guaranteed", "early", "late", "low"]);
});

test("podAmount() counts what runs at the same time", () => {
  const of = (cpu: string, more = {}) => ({
    name: cpu,
    image: "i",
    resources: { requests: { cpu } },
    ...more,
  });
  const sidecar = { restartPolicy: "Always" };
  const milli = (spec: Partial<PodSpec>): number =>
    Number(podAmount(podOf(spec), "requests", "cpu") ?? 0n) / 1e6;
  equal(milli({ containers: [of("100m"), of("200m")] }), 300);
  equal(milli({ initContainers: [of("500m"), of("50m", sidecar)], containers: [of("100m")] }), 500);
  equal(milli({ initContainers: [of("50m", sidecar), of("500m")], containers: [of("100m")] }), 550);
  equal(
    milli({
      containers: [of("1")],
      resources: { requests: { cpu: "2" } },
      overhead: { cpu: "100m" },
    }),
    2100,
  );
});

test("podLimits() limits what every container limits", () => {
  const limited = (limits: Record<string, string>) => ({
    name: "c",
    image: "i",
    resources: { limits },
  });
  const pod = podOf({
    containers: [
      limited({ cpu: "500m", memory: "64Mi", "hugepages-2Mi": "4Mi" }),
      limited({ memory: "64Mi" }),
    ],
  });
  deepEqual(podLimits(pod, 100), {
    cpuShares: 512,
    memoryBytes: 128 * 1024 ** 2,
    processes: 100,
    hugePages: { "2MB": 4 * 1024 ** 2 },
  });
  deepEqual(podLimits(podOf(), -1), { cpuShares: 2 });
});

test("allocatableOf() takes away what is reserved, must stay free, or is in huge pages", () => {
  const capacity = {
    cpu: "4",
    "ephemeral-storage": "1000Ki",
    "hugepages-2Mi": "64Mi",
    memory: "4Gi",
    pods: "110",
  };
  const settings = {
    ...usualSettings,
    systemReserved: { cpu: "500m", memory: "256Mi" },
    kubeReserved: { cpu: "100m" },
  };
  deepEqual(allocatableOf(capacity, settings), {
    cpu: "3400m",
    "ephemeral-storage": "900Ki",
    "hugepages-2Mi": "64Mi",
    memory: "3676Mi",
    pods: "110",
  });
});

test("sysctlName() writes both notations alike", () => {
  deepEqual(["net.ipv4.conf.eth0/1.x", "net/ipv4/conf/eth0.1/x", "kernel.sem"].map(sysctlName), [
    "net.ipv4.conf.eth0/1.x",
    "net.ipv4.conf.eth0/1.x",
    "kernel.sem",
  ]);
});
