import { deepEqual, equal, match, ok } from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import type { Agent } from "#agent/agent.ts";
import { formatCpus } from "#agent/cpus/cpu-set.ts";
import { cgroupMount, isUnified, readControlGroup } from "#agent/node/cgroup-files.ts";
import type { Pod } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import {
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
const isFailed = (pod: Pod | undefined): boolean => pod?.status?.phase === "Failed";

test(
  "pods have control groups with their limits, below those of their class",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client, cgroupRoot } = node;
    await node.startAgent({
      settings: { podPidsLimit: 40, kubeReserved: { memory: "1Gi", cpu: "100m" } },
    });
    const { status } = await client.get(nodes, { name: "n" });
    const amount = (list: object | undefined, name: string): number =>
      Number.parseInt((list as Record<string, string>)[name] ?? "", 10);
    equal(
      amount(status?.capacity, "memory") - amount(status?.allocatable, "memory"),
      (1024 + 100) * 1024,
    );
    const limits = { cpu: "200m", memory: "64Mi" };
    await client.create(
      pods,
      podOnNode("exact", {
        containers: [
          { ...shellContainer("main", "sleep 1000"), resources: { limits, requests: limits } },
        ],
      }),
    );
    const bomb = "boom() { boom | boom & }; boom; sleep 1000";
    await client.create(
      pods,
      podOnNode("bomb", {
        containers: [{ ...shellContainer("main", bomb), resources: { requests: { cpu: "50m" } } }],
      }),
    );
    const exact = await until(client, "exact", isReady);
    const group = `${cgroupRoot}/pod${exact?.metadata.uid}`;
    const read = async (controller: string, file: string): Promise<number> =>
      Number(await readFile(join(cgroupMount, controller, group, file), "utf8"));
    if (!isUnified()) {
      deepEqual(
        [
          await read("memory", "memory.limit_in_bytes"),
          await read("cpu", "cpu.cfs_quota_us"),
          await read("cpu", "cpu.shares"),
          await read("pids", "pids.max"),
        ],
        [64 * 1024 ** 2, 20_000, 204, 40],
      );
    }
    const bombed = await until(client, "bomb", (pod) => pod?.status?.phase === "Running");
    const path = `${cgroupRoot}/burstable/pod${bombed?.metadata.uid}`;
    let processes = 0;
    while (processes < 38) processes = (await readControlGroup(path))?.processes ?? 0;
    ok(processes <= 40, `${processes} processes`);
    await client.delete(pods, { namespace: "default", name: "bomb" });
    await until(client, "bomb", (pod) => pod === undefined);
    const ready = (await client.get(nodes, { name: "n" })).status?.conditions?.at(-1);
    deepEqual([ready?.type, ready?.status], ["Ready", "True"]);
  },
);

test("a container that takes more memory than it may is ended and says so", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  await node.startAgent();
  await client.create(
    pods,
    podOnNode("eats", {
      restartPolicy: "Never",
      containers: [
        {
          ...shellContainer("main", "exec tail -c 200m /dev/zero"),
          resources: { limits: { memory: "16Mi" } },
        },
      ],
    }),
  );
  const eaten = await until(client, "eats", isFailed);
  const end = eaten?.status?.containerStatuses?.[0]?.state?.terminated;
  deepEqual([end?.reason, end?.exitCode], ["OOMKilled", 137]);
});

test("what a node cannot or must not do for a pod's security it says", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent({ settings: { allowedUnsafeSysctls: ["net.core.*"] } });
  const withSysctl = (name: string, value: string) => ({
    securityContext: { sysctls: [{ name, value }] },
  });
  await client.create(pods, podOnNode("unsafe", withSysctl("kernel.msgmax", "65536")));
  const unsafe = await until(client, "unsafe", isFailed);
  deepEqual(
    [unsafe?.status?.reason, unsafe?.status?.message],
    ["SysctlForbidden", 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'],
  );
  await client.create(
    pods,
    podOnNode("allowed", {
      ...withSysctl("net.core.somaxconn", "321"),
      containers: [shellContainer("main", "cat /proc/sys/net/core/somaxconn; sleep 1000")],
    }),
  );
  await until(client, "allowed", isReady);
  equal(await logsOf(agent, "allowed", "main"), "321\n");
  await client.create(pods, podOnNode("users", { hostUsers: false }));
  await eventually(
    client,
    "Failed to create pod sandbox: user namespaces (hostUsers: false) are not supported by this node",
  );
  await client.create(
    pods,
    podOnNode("groups", { securityContext: { supplementalGroupsPolicy: "Strict" } }),
  );
  if (!node.runtime.features.supplementalGroupsPolicy) {
    const groups = await until(client, "groups", isFailed);
    equal(groups?.status?.reason, "SupplementalGroupsPolicyNotSupported");
  }
  await client.create(
    pods,
    podOnNode("armed", {
      securityContext: { appArmorProfile: { type: "Localhost", localhostProfile: "mine" } },
    }),
  );
  const armed = await until(
    client,
    "armed",
    (pod) => pod?.status?.phase !== "Pending" || isReady(pod),
  );
  match(armed?.status?.message ?? "", /AppArmor/);
});

test("a container's own seccomp profile is put in force", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }],
  };
  await mkdir(join(node.dataDir, "seccomp"), { recursive: true });
  await writeFile(join(node.dataDir, "seccomp", "no-mkdir.json"), JSON.stringify(profile));
  const seccompProfile = { type: "Localhost", localhostProfile: "no-mkdir.json" };
  await client.create(
    pods,
    podOnNode("bound", {
      restartPolicy: "Never",
      containers: [
        {
          ...shellContainer("main", "mkdir /tmp/a 2>&1; ls /proc/kcore /sys/firmware 2>&1"),
          securityContext: { seccompProfile },
        },
      ],
    }),
  );
  await until(
    client,
    "bound",
    (pod) => pod?.status?.containerStatuses?.[0]?.state?.terminated !== undefined,
  );
  match(
    await logsOf(agent, "bound", "main"),
    /can't create directory '\/tmp\/a': Operation not permitted/,
  );
});

test("a guaranteed pod gets whole processors of its own", { skip }, async (context) => {
  if (cpus().length < 2) return context.skip("needs two processors");
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent({
    settings: { cpuManagerPolicy: "static", kubeReserved: { cpu: "500m" } },
  });
  const tell = "sleep 0.3; grep Cpus_allowed_list /proc/self/status; sleep 1000";
  const usual = podOnNode("usual", { containers: [shellContainer("main", tell)] });
  await client.create(pods, usual);
  await until(client, "usual", isReady);
  const resources = { limits: { cpu: "1", memory: "32Mi" } };
  await client.create(
    pods,
    podOnNode("alone", { containers: [{ ...shellContainer("main", tell), resources }] }),
  );
  const alone = await until(client, "alone", isReady);
  equal(alone?.status?.qosClass, "Guaranteed");
  const name = { namespace: "default", pod: "usual", container: "main" };
  const command = ["grep", "Cpus_allowed_list", "/proc/1/status"];
  const options = { command, tty: false, stdin: false, stdout: true, stderr: false };
  const shared = async (): Promise<string> =>
    text((await agent.targets.exec(name, options)).stdout!);
  const all = formatCpus(cpus().keys());
  const rest = formatCpus(
    cpus()
      .keys()
      .filter((cpu) => cpu !== 1),
  );
  let seen = await shared();
  while (!seen.endsWith(`\t${rest}\n`)) seen = await shared();
  match(await untilLog(agent), /Cpus_allowed_list:\t1\n/);
  await client.delete(pods, { namespace: "default", name: "alone" });
  while (!(await shared()).endsWith(`\t${all}\n`));
});

async function untilLog(agent: Agent): Promise<string> {
  for (;;) {
    const log = await logsOf(agent, "alone", "main");
    if (log !== "") return log;
  }
}
