import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { evictionMessage } from "#agent/eviction/eviction-message.ts";
import { localExcess } from "#agent/eviction/local-limits.ts";
import { nextPressure, noPressure, worstOf } from "#agent/eviction/pressure-state.ts";
import { isCritical, rankPods } from "#agent/eviction/rank-pods.ts";
import { type Observations, type Signal, thresholdsOf } from "#agent/eviction/thresholds.ts";
import { usualSettings } from "#agent/node/node-settings.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";
import type { PodUsage } from "#agent/stats/usage.ts";
import type { Pod } from "#api/generated/types.ts";

const mebi = 1024 ** 2;

function podOf(name: string, request = "0", priority = 0): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "a", uid: name },
    spec: {
      priority,
      containers: [
        {
          name: "c",
          image: "i",
          resources: { requests: { memory: request, "ephemeral-storage": request } },
        },
      ],
    },
  };
}

function usageOf(pod: Pod, used: { memory?: number; disk?: number; processes?: number }): PodUsage {
  const { memory = 0, disk = 0, processes = 1 } = used;
  const state = { id: "1", name: "c" } as ContainerState;
  const stats = { id: "1", timeMs: 0, cpuNanoseconds: 0 };
  return {
    pod,
    timeMs: 0,
    cpuNanoseconds: 0,
    nanoCores: 0,
    memory: { workingSetBytes: memory },
    processes,
    containers: [
      { state, nanoCores: 0, stats: { ...stats, workingSetBytes: memory, writtenBytes: disk } },
    ],
  };
}

test("rankPods() begins with who is over its request, then the least important, then the largest", () => {
  const pods = [
    podOf("within", "100Mi"),
    podOf("important", "1Mi", 10),
    podOf("small", "1Mi"),
    podOf("large", "1Mi"),
    podOf("unknown"),
  ];
  const [within, important, small, large] = pods as [Pod, Pod, Pod, Pod];
  const usages = [
    usageOf(within, { memory: 90 * mebi, processes: 1 }),
    usageOf(important, { memory: 50 * mebi, processes: 9 }),
    usageOf(small, { memory: 5 * mebi, processes: 2 }),
    usageOf(large, { memory: 20 * mebi, processes: 3 }),
  ];
  const ranked = (signal: Signal): unknown =>
    rankPods(pods, usages, signal).map(({ metadata }) => metadata.name);
  deepEqual(ranked("memory.available"), ["unknown", "large", "small", "important", "within"]);
  deepEqual(ranked("pid.available"), ["unknown", "large", "small", "within", "important"]);
});

test("isCritical() spares system pods and those that the API does not run", () => {
  equal(isCritical(podOf("system", "0", 2_000_001_000)), true);
  equal(isCritical(podOf("usual", "0", 1000)), false);
  const annotations = { "kubernetes.io/config.mirror": "x" };
  equal(isCritical({ ...podOf("static"), metadata: { annotations } }), true);
});

test("thresholdsOf() reads what may be set and says what may not", () => {
  const soft = {
    evictionSoft: { "memory.available": "500Mi" },
    evictionSoftGracePeriod: { "memory.available": "1m30s" },
    evictionMinimumReclaim: { "memory.available": "100Mi" },
    evictionHard: { "memory.available": "0%", "nodefs.available": "10%" },
  };
  deepEqual(thresholdsOf({ ...usualSettings, ...soft }), [
    { signal: "nodefs.available", value: "10%" },
    { signal: "memory.available", value: "500Mi", graceMs: 90_000, reclaim: "100Mi" },
  ]);
  const wrong = (change: object) => () => thresholdsOf({ ...usualSettings, ...change });
  throws(
    wrong({ evictionHard: { "cpu.available": "1" } }),
    /unsupported eviction signal cpu.available/,
  );
  throws(wrong({ evictionHard: { "nodefs.available": "100%" } }), /must be >= 0% and < 100%: 100%/);
  throws(
    wrong({ evictionSoft: { "pid.available": "5" } }),
    /grace period must be specified for the soft/,
  );
});

test("nextPressure() waits for grace and reclaim, and keeps a condition for the transition period", () => {
  const settings = {
    ...usualSettings,
    evictionHard: { "nodefs.available": "10%" },
    evictionSoft: { "memory.available": "500Mi" },
    evictionSoftGracePeriod: { "memory.available": "1m" },
    evictionMinimumReclaim: { "nodefs.available": "5%" },
  };
  const thresholds = thresholdsOf(settings);
  const seen = (seconds: number, memoryMebi: number, disk: number): object => ({
    seconds,
    observations: new Map([
      ["memory.available", { available: memoryMebi * mebi, capacity: 1000 * mebi }],
      ["nodefs.available", { available: disk, capacity: 100 }],
    ]) satisfies Observations,
  });
  const steps = [
    seen(0, 900, 50),
    seen(10, 400, 50),
    seen(60, 400, 9),
    seen(71, 400, 12),
    seen(80, 900, 15),
    seen(370, 900, 50),
    seen(381, 900, 50),
  ] as { seconds: number; observations: Observations }[];
  let state = noPressure;
  const told = steps.map(({ seconds, observations }) => {
    state = nextPressure(state, {
      thresholds,
      observations,
      nowMs: seconds * 1000,
      transitionMs: 300_000,
    });
    return [[...state.pressures].toSorted().join(), worstOf(state.met)?.signal];
  });
  deepEqual(told, [
    ["", undefined],
    ["MemoryPressure", undefined],
    ["DiskPressure,MemoryPressure", "nodefs.available"],
    ["DiskPressure,MemoryPressure", "memory.available"],
    ["DiskPressure,MemoryPressure", undefined],
    ["DiskPressure,MemoryPressure", undefined],
    ["", undefined],
  ]);
});

test("evictionMessage() and localExcess() say what upstream says", () => {
  const pod = podOf("a", "1Mi");
  const usage = usageOf(pod, { memory: 3 * mebi, disk: 1024 });
  const observations: Observations = new Map([
    ["memory.available", { available: 50 * mebi, capacity: 1000 * mebi }],
  ]);
  equal(
    evictionMessage({ signal: "memory.available", value: "100Mi" }, observations, usage),
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. " +
      "Container c was using 3Mi, request is 1Mi, has larger consumption of memory. ",
  );
  equal(localExcess(usage), undefined);
  const [container] = pod.spec!.containers;
  const limited = { ...container!, resources: { limits: { "ephemeral-storage": "1000" } } };
  deepEqual(localExcess({ ...usage, pod: { ...pod, spec: { containers: [limited] } } }), {
    signal: "ephemeralpodfs.limit",
    message: "Pod ephemeral local storage usage exceeds the total limit of containers 1k. ",
  });
});
