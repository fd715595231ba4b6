import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";
import type { Pod, PodCondition } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import {
  busyboxImage,
  eventually,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const at = (name: string) => ({ namespace: "default", name });

test("resources of a running container change without a restart", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  await node.startAgent({ settings: { maxPods: 5 } });
  const sized = (cpu: string, memory: string) => ({
    requests: { cpu, memory },
    limits: { cpu, memory },
  });
  const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" }];
  await client.create(
    pods,
    podOnNode("grows", {
      containers: [
        { ...shellContainer("main", "sleep 1000"), resources: sized("100m", "32Mi"), resizePolicy },
      ],
    }),
  );
  await until(client, "grows", isReady);
  const quota = async (): Promise<string> => {
    const { metadata, status } = await client.get(pods, at("grows"));
    const id = status?.containerStatuses?.[0]?.containerID?.slice("containerd://".length);
    const group = `${node.cgroupRoot}/pod${metadata.uid}/${id}`;
    const file = isUnified() ? `${group}/cpu.max` : `cpu${group}/cpu.cfs_quota_us`;
    return (await readFile(join(cgroupMount, file), "utf8")).split(/\s/)[0] ?? "";
  };
  equal(await quota(), "10000");
  await resize(client, "grows", sized("300m", "32Mi"));
  const grown = await until(
    client,
    "grows",
    (pod) => pod?.status?.containerStatuses?.[0]?.resources?.limits?.["cpu"] === "300m",
  );
  const status = grown?.status?.containerStatuses?.[0];
  deepEqual(
    [status?.allocatedResources, status?.restartCount],
    [{ cpu: "300m", memory: "32Mi" }, 0],
  );
  equal(await quota(), "30000");
  await eventually(client, /^Pod resize started: \{"containers":\[\{"name":"main","resources":/);
  await eventually(client, /^Pod resize completed: /);
  await resize(client, "grows", sized("300m", "48Mi"));
  const renewed = await until(
    client,
    "grows",
    (pod) => pod?.status?.containerStatuses?.[0]?.restartCount === 1 && isReady(pod),
  );
  equal(renewed?.status?.containerStatuses?.[0]?.resources?.limits?.["memory"], "48Mi");
  await eventually(client, "Container main resize requires restart");
  const capacity = cpus().length * 1000;
  const large = { requests: { cpu: `${capacity - 500}m` } };
  await client.create(
    pods,
    podOnNode("large", {
      containers: [{ ...shellContainer("main", "sleep 1000"), resources: large }],
    }),
  );
  await until(client, "large", isReady);
  await resize(client, "grows", sized("1", "48Mi"));
  const refused = await until(client, "grows", (pod) => pendingOf(pod) !== undefined);
  const pending = pendingOf(refused);
  deepEqual(
    [pending?.reason, pending?.message],
    [
      "Deferred",
      `Node didn't have enough resource: cpu, requested: 1000, used: ${capacity - 500}, capacity: ${capacity}`,
    ],
  );
  equal(refused?.status?.containerStatuses?.[0]?.allocatedResources?.["cpu"], "300m");
  await client.delete(pods, at("large"));
  await until(
    client,
    "grows",
    (pod) => pod?.status?.containerStatuses?.[0]?.resources?.limits?.["cpu"] === "1",
  );
  equal(await quota(), "100000");
});

function pendingOf(pod: Pod | undefined): PodCondition | undefined {
  return pod?.status?.conditions?.find(({ type }) => type === "PodResizePending");
}

test("a debugging container sees the processes of the one that it is for", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  await client.create(
    pods,
    podOnNode("app", { containers: [shellContainer("main", "exec sleep 4321")] }),
  );
  await until(client, "app", isReady);
  const script = "ps; cat /proc/1/cmdline | head -c 5; echo";
  const ephemeralContainers = [
    { ...shellContainer("look", script), targetContainerName: "main" },
    { ...shellContainer("alone", script) },
  ];
  await client.patch(
    pods,
    at("app"),
    { kind: "strategic", value: { spec: { ephemeralContainers } } },
    { subresource: "ephemeralcontainers" },
  );
  await until(
    client,
    "app",
    (pod) =>
      pod?.status?.ephemeralContainerStatuses?.length === 2 &&
      pod.status.ephemeralContainerStatuses.every(({ state }) => state?.terminated),
  );
  match(await logsOf(agent, "app", "look"), /sleep 4321[^]*sleep\n$/);
  ok(!(await logsOf(agent, "app", "alone")).includes("4321"));
});

test("closing an exec ends its process", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  await client.create(pods, podOnNode("app"));
  await until(client, "app", isReady);
  const name = { namespace: "default", pod: "app", container: "main" };
  const options = { tty: false, stdin: false, stdout: true, stderr: false };
  const streams = await Promise.all(
    ["7001", "7002"].map((seconds) =>
      agent.targets.exec(name, {
        ...options,
        command: ["sh", "-c", `echo on; sleep ${seconds}; true`],
      }),
    ),
  );
  for (const one of streams) for await (const _ of one.stdout ?? []) break;
  const left = async (): Promise<string> => {
    const listing = await agent.targets.exec(name, { ...options, command: ["ps"] });
    return text(listing.stdout!);
  };
  match(await left(), /sleep 7001[^]*sleep 7002|sleep 7002[^]*sleep 7001/);
  streams[0]!.close();
  let list = await left();
  while (list.includes("sleep 7001")) list = await left();
  match(list, /sleep 7002/);
  streams[1]!.close();
});

test("a container's own stop signal and restart rules are heeded", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  const trapped = "trap 'echo told; exit 0' USR1; echo up; while :; do sleep 0.1; done";
  await client.create(
    pods,
    podOnNode("signal", {
      restartPolicy: "Never",
      activeDeadlineSeconds: 3,
      terminationGracePeriodSeconds: 20,
      containers: [{ ...shellContainer("main", trapped), lifecycle: { stopSignal: "SIGUSR1" } }],
    }),
  );
  const rules = [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }];
  await client.create(
    pods,
    podOnNode("rules", {
      restartPolicy: "Never",
      containers: [
        {
          ...shellContainer("main", "test -e /v/second && exit 7; echo > /v/second; exit 42"),
          command: ["sh", "-c", "[ -e /v/second ] && exit 7; echo > /v/second; exit 42"],
          restartPolicy: "Never",
          restartPolicyRules: rules,
          volumeMounts: [{ name: "v", mountPath: "/v" }],
        },
      ],
      volumes: [{ name: "v", emptyDir: {} }],
    }),
  );
  const told = await until(client, "signal", (pod) => pod?.status?.phase === "Failed");
  equal(told?.status?.reason, "DeadlineExceeded");
  equal(told?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 0);
  match(await logsOf(agent, "signal", "main"), /told\n$/);
  const ruled = await until(client, "rules", (pod) => pod?.status?.phase === "Failed");
  const status = ruled?.status?.containerStatuses?.[0];
  deepEqual(
    [
      status?.restartCount,
      status?.state?.terminated?.exitCode,
      status?.lastState?.terminated?.exitCode,
    ],
    [1, 7, 42],
  );
  equal(status?.image, `docker.io/library/${busyboxImage}`);
});

async function resize(client: Client, name: string, resources: object): Promise<void> {
  const value = { spec: { containers: [{ name: "main", resources }] } };
  await client.patch(pods, at(name), { kind: "strategic", value }, { subresource: "resize" });
}

test("variables come from files that an init container wrote", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  const volumeMounts = [{ name: "v", mountPath: "/v" }];
  const fileKeyRef = (key: string, optional = false) => ({
    fileKeyRef: { volumeName: "v", path: "env", key, optional },
  });
  await client.create(
    pods,
    podOnNode("files", {
      restartPolicy: "Never",
      initContainers: [
        { ...shellContainer("write", `echo "A='from a file'" > /v/env`), volumeMounts },
      ],
      containers: [
        {
          ...shellContainer("main", 'echo "$A and ${B-nothing}"'),
          env: [
            { name: "A", valueFrom: fileKeyRef("A") },
            { name: "B", valueFrom: fileKeyRef("B", true) },
          ],
        },
      ],
      volumes: [{ name: "v", emptyDir: {} }],
    }),
  );
  await until(client, "files", (pod) => pod?.status?.phase === "Succeeded");
  equal(await logsOf(agent, "files", "main"), "from a file and nothing\n");
});

test(
  "a machine that goes down ends pods by their priority and takes no others",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    const shutdownGracePeriodByPodPriority = [{ priority: 0, shutdownGracePeriodSeconds: 30 }];
    const agent = await node.startAgent({ settings: { shutdownGracePeriodByPodPriority } });
    const polite = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done";
    await client.create(
      pods,
      podOnNode("app", {
        terminationGracePeriodSeconds: 20,
        containers: [shellContainer("main", polite)],
      }),
    );
    await until(client, "app", isReady);
    await agent.shutDown();
    const app = await until(client, "app", (pod) => pod?.status?.phase === "Failed");
    deepEqual(
      [app?.status?.reason, app?.status?.message],
      ["Terminated", "Pod was terminated in response to imminent node shutdown."],
    );
    match(await logsOf(agent, "app", "main"), /bye\n$/);
    await client.create(pods, podOnNode("late"));
    const late = await until(client, "late", (pod) => pod?.status?.phase === "Failed");
    equal(late?.status?.reason, "NodeShutdown");
    await eventually(client, "Node n status is now: NodeNotReady");
  },
);
