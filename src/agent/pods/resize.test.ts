import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type {
  Container,
  Pod,
  PodSpec,
  PodStatus,
  ResourceRequirements,
} from "#api/generated/types.ts";
import { containerResources } from "#agent/pods/container-resources.ts";
import { resourceValue } from "#agent/pods/downward-values.ts";
import { ResizeKeeper } from "#agent/pods/resize-keeper.ts";
import { wholeRequests, wholeResources } from "#agent/pods/whole-resources.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

const asking = (requests: Record<string, string>, limits?: Record<string, string>) => ({
  requests,
  ...(limits && { limits }),
});
const container = (resources?: ResourceRequirements, more: Partial<Container> = {}): Container => ({
  name: "c",
  image: "i",
  ...(resources && { resources }),
  ...more,
});
const podOf = (spec: Partial<PodSpec>, status: PodStatus = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", uid: "u", generation: 2 },
  spec: { containers: [container()], ...spec },
  status,
});
const running: ContainerState = {
  id: "1",
  name: "c",
  state: "running",
} as unknown as ContainerState;
const restart = {
  resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" }],
};

test("wholeResources() tells of a pod's group what it is held to, and before all that it will have", () => {
  const one = container(asking({ cpu: "1", memory: "1Gi" }, { cpu: "2" }));
  const two = container(asking({ cpu: "500m", "ephemeral-storage": "1Gi" }), { name: "d" });
  const whole = asking({ cpu: "3", "hugepages-2Mi": "4Mi" }, { cpu: "4", "hugepages-2Mi": "4Mi" });
  const Running = { phase: "Running" };
  const table: readonly (readonly [Pod, ResourceRequirements])[] = [
    [podOf({}), {}],
    [podOf({ containers: [one] }, Running), one.resources ?? {}],
    [
      podOf({ containers: [one, two] }, { phase: "Pending" }),
      asking({ cpu: "1500m", "ephemeral-storage": "1Gi", memory: "1Gi" }, { cpu: "2" }),
    ],
    [podOf({ containers: [one, two] }, Running), asking({ cpu: "1500m", memory: "1Gi" })],
    [
      podOf({ containers: [one, two], resources: whole, overhead: { cpu: "1" } }, Running),
      asking(
        { cpu: "4", "hugepages-2Mi": "4Mi", memory: "1Gi" },
        { cpu: "5", "hugepages-2Mi": "4Mi" },
      ),
    ],
  ];
  for (const [pod, expected] of table) deepEqual(wholeResources(pod), expected);
  const held = asking({ cpu: "2" });
  deepEqual(wholeResources(podOf({ resources: whole }, Running), held), {
    limits: { "hugepages-2Mi": "4Mi" },
    requests: { cpu: "2", "hugepages-2Mi": "4Mi" },
  });
  deepEqual(wholeRequests(podOf({ resources: whole, overhead: { cpu: "1" } })), {
    cpu: "4",
    "hugepages-2Mi": "4Mi",
  });
});

test("containerResources() gives a container the whole pod's limits where it has none", () => {
  const gib = 1024 ** 3;
  const whole = asking({ memory: "2Gi" }, { cpu: "1", memory: "4Gi" });
  const own = container(asking({ cpu: "100m" }, { cpu: "200m" }));
  deepEqual(containerResources(podOf({ resources: whole, containers: [own] }), own, 8 * gib), {
    cpuShares: 102,
    cpuPeriodUs: 100_000,
    cpuQuotaUs: 20_000,
    memoryLimitBytes: 4 * gib,
    oomScoreAdj: 750,
  });
  const none = container();
  const node = { name: "n", hostIps: [], allocatable: { cpu: "8", memory: "8Gi" } };
  const shown = (resource: string, pod: Pod) => resourceValue(none, { resource }, { node, pod });
  equal(shown("limits.memory", podOf({ resources: whole })), `${4 * gib}`);
  equal(shown("limits.memory", podOf({})), `${8 * gib}`);
  deepEqual(containerResources(podOf({ resources: whole }), none, 8 * gib), {
    cpuShares: 1024,
    cpuPeriodUs: 100_000,
    cpuQuotaUs: 100_000,
    memoryLimitBytes: 4 * gib,
    oomScoreAdj: 750,
  });
  const helper = container(asking({ memory: "1Mi" }), { name: "s", restartPolicy: "Always" });
  const large = container(asking({ memory: "4Gi" }));
  const helped = podOf({ containers: [large], initContainers: [helper] });
  equal(containerResources(helped, helper, 8 * gib).oomScoreAdj, 500);
});

test("ResizeKeeper sees what is to change, however amounts are written", () => {
  const changesTo = (before: Partial<PodSpec>, after: Partial<PodSpec>) => {
    const pod = podOf(before);
    const keeper = new ResizeKeeper(pod);
    keeper.granted(pod);
    keeper.hold(pod);
    keeper.done("1", pod, pod.spec?.containers[0] ?? container());
    const wanted = podOf(after);
    if (!keeper.differs(wanted)) return undefined;
    keeper.answer(wanted, { kind: "fits" }, 0);
    const { containers, whole } = keeper.changes(keeper.granted(wanted), [running]);
    return [containers.map(({ needsRestart }) => (needsRestart ? "restart" : "update")), whole];
  };
  const of = (resources: ResourceRequirements, more: Partial<Container> = {}) => ({
    containers: [container(resources, more)],
  });
  const table: readonly (readonly [Partial<PodSpec>, Partial<PodSpec>, unknown])[] = [
    [of(asking({ cpu: "1" })), of(asking({ cpu: "1000m" })), undefined],
    [of(asking({ cpu: "1" })), of(asking({ cpu: "2" })), [["update"], true]],
    [of(asking({ cpu: "1" })), of(asking({ cpu: "1" }, { cpu: "1" })), [["update"], true]],
    [
      of(asking({ memory: "1Gi" }), restart),
      of(asking({ memory: "2Gi" }), restart),
      [["restart"], true],
    ],
    [
      { resources: asking({ cpu: "1" }), ...of({}) },
      { resources: asking({ cpu: "2" }), ...of({}) },
      [[], true],
    ],
    [
      { resources: asking({ cpu: "1" }, { memory: "1Gi" }), ...of({}, restart) },
      { resources: asking({ cpu: "1" }, { memory: "2Gi" }), ...of({}, restart) },
      [["restart"], true],
    ],
    [of({}), { resources: asking({ cpu: "1" }), ...of({}) }, [[], true]],
  ];
  for (const [before, after, expected] of table) deepEqual(changesTo(before, after), expected);
});

test("ResizeKeeper goes on from what a pod's status tells", () => {
  const wanted = podOf(
    {
      containers: [container(asking({ cpu: "2" }))],
      resources: asking({ cpu: "4" }, { cpu: "5" }),
      overhead: { cpu: "1" },
    },
    {
      phase: "Running",
      allocatedResources: { cpu: "4" },
      resources: asking({ cpu: "4" }, { cpu: "6" }),
      containerStatuses: [
        {
          name: "c",
          containerID: "containerd://1",
          allocatedResources: { cpu: "1" },
          resources: asking({ cpu: "500m" }),
        } as never,
      ],
      conditions: [
        {
          type: "PodResizePending",
          status: "True",
          reason: "Deferred",
          message: "m",
          observedGeneration: 2,
          lastTransitionTime: "1970-01-01T00:00:01Z",
        },
        { type: "PodResizeInProgress", status: "True", observedGeneration: 1 },
      ],
    },
  );
  const keeper = new ResizeKeeper(wanted);
  const granted = keeper.granted(wanted);
  deepEqual(
    [granted.spec?.resources, granted.spec?.containers[0]?.resources],
    [asking({ cpu: "3" }, { cpu: "5" }), asking({ cpu: "1" })],
  );
  deepEqual(keeper.waiting(wanted), { pod: wanted, granted, sinceMs: 1000 });
  const { containers, whole } = keeper.changes(granted, [running]);
  deepEqual([containers.map(({ actual }) => actual.requests), whole], [[{ cpu: "500m" }], false]);
  equal(keeper.finish(), 1);
  equal(keeper.finish(), undefined);
});
