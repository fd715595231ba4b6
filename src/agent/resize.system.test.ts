import { deepEqual, match } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";
import type { Pod, PodCondition, ResourceRequirements } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import {
  eventually,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const mib = 1024 * 1024;
const whole = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu: "100m", memory: "16Mi" },
  limits: { cpu, memory },
});
const conditionsOf = (pod: Pod | undefined): readonly PodCondition[] =>
  (pod?.status?.conditions ?? []).filter(({ type }) => type.startsWith("PodResize"));

test(
  "a pod as a whole is held to its limits, which are not lowered below use",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    await node.startAgent();
    const volumeMounts = [{ name: "memory", mountPath: "/memory" }];
    const readinessProbe = { exec: { command: ["ls", "/memory/full"] }, periodSeconds: 1 };
    const fill = "head -c 41943040 /dev/zero > /memory/part; mv /memory/part /memory/full";
    await client.create(
      pods,
      podOnNode("whole", {
        resources: whole("200m", "256Mi"),
        containers: [
          { ...shellContainer("main", `${fill}; sleep 1000`), readinessProbe, volumeMounts },
        ],
        volumes: [{ name: "memory", emptyDir: { medium: "Memory" } }],
      }),
    );
    const held = async (): Promise<readonly (readonly [number, number])[]> => {
      const { metadata, status } = await client.get(pods, { namespace: "default", name: "whole" });
      const id = status?.containerStatuses?.[0]?.containerID?.slice("containerd://".length);
      const group = `${node.cgroupRoot}/burstable/pod${metadata.uid}`;
      return Promise.all([group, `${group}/${id}`].map(limitsOf));
    };
    const resized = async (resources: ResourceRequirements): Promise<void> => {
      await client.patch(
        pods,
        { namespace: "default", name: "whole" },
        { kind: "strategic", value: { spec: { resources } } },
        { subresource: "resize" },
      );
    };
    const has = (resources: ResourceRequirements) => (pod: Pod | undefined) =>
      conditionsOf(pod).length === 0 &&
      pod?.status?.resources?.limits?.["memory"] === resources.limits?.["memory"];
    await until(client, "whole", isReady);
    deepEqual(await held(), Array(2).fill([20_000, 256 * mib]));
    await resized(whole("400m", "512Mi"));
    const grown = await until(client, "whole", has(whole("400m", "512Mi")));
    deepEqual(
      [grown?.status?.resources, grown?.status?.allocatedResources],
      [whole("400m", "512Mi"), { cpu: "100m", memory: "16Mi" }],
    );
    deepEqual(await held(), Array(2).fill([40_000, 512 * mib]));
    await resized(whole("400m", "20Mi"));
    const stuck = await until(client, "whole", (pod) => conditionsOf(pod)[0]?.reason === "Error");
    match(
      conditionsOf(stuck)[0]?.message ?? "",
      /^cannot decrease memory limits: \[attempting to set pod memory limit \(20971520\) below current usage \(\d+\), attempting to set container "main" memory limit \(20971520\) below current usage \(\d+\)\]$/,
    );
    deepEqual(await held(), Array(2).fill([40_000, 512 * mib]));
    await eventually(client, /^Pod resize error: /);
    await resized(whole("400m", "128Mi"));
    const fits = await until(client, "whole", has(whole("400m", "128Mi")));
    deepEqual(await held(), Array(2).fill([40_000, 128 * mib]));
    deepEqual(fits?.status?.containerStatuses?.[0]?.restartCount, 0);
  },
);

/** What a control group may take of processors in 100 ms, in µs, and of memory, in bytes. */
async function limitsOf(group: string): Promise<readonly [number, number]> {
  const files = isUnified()
    ? [`${group}/cpu.max`, `${group}/memory.max`]
    : [`cpu${group}/cpu.cfs_quota_us`, `memory${group}/memory.limit_in_bytes`];
  const [cpu, memory] = await Promise.all(
    files.map((file) => readFile(join(cgroupMount, file), "utf8")),
  );
  return [Number(cpu?.split(/\s/)[0]), Number(memory?.trim())];
}
