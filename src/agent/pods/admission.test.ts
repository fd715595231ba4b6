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
import { orderResizes, type WaitingResize } from "#agent/pods/resize-order.ts";
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
