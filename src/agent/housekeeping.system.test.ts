import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { nodes, pods } from "#api/resources.ts";
import { missing } from "#test/needs.ts";
import { startRegistry } from "#test/registry.ts";
import {
  eventually,
  goneFrom,
  holds,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;

test(
  "a log that gets long is rotated and packed while a reader follows all of it",
  { skip },
  async () => {
    await using node = await openRealNode();
    const agent = await node.startAgent({
      settings: {
        containerLogMaxSize: "40Ki",
        containerLogMaxFiles: 3,
        containerLogMonitorInterval: "300ms",
      },
    });
    const lines = 3000;
    const script = `for i in $(seq ${lines}); do echo line $i; case $i in *00) sleep 0.2;; esac; done; sleep 1`;
    const created = await node.client.create(
      pods,
      podOnNode("chatty", { restartPolicy: "Never", containers: [shellContainer("main", script)] }),
    );
    await until(node.client, "chatty", (pod) => pod?.status?.phase === "Running");
    const name = { namespace: "default", pod: "chatty", container: "main" };
    const { signal } = new AbortController();
    const options = { follow: true, previous: false, timestamps: false, signal };
    const followed = await text(await agent.targets.logs(name, options));
    const expected = Array.from({ length: lines }, (_, index) => `line ${index + 1}\n`).join("");
    equal(followed, expected);
    const folder = join(
      node.dataDir,
      "logs",
      "pods",
      `default_chatty_${created.metadata.uid}`,
      "main",
    );
    const files = (await readdir(folder)).toSorted();
    equal(files.length, 3, files.join());
    match(files[1] ?? "", /^0\.log\.\d{8}-\d{6}\.gz$/);
    match(
      gunzipSync(readFileSync(join(folder, files[1] ?? ""))).toString(),
      /^\S+ stdout F line \d+\n/,
    );
  },
);

test(
  "pods that take more disk than they may are evicted with upstream's words",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    await node.startAgent();
    const fill = (path: string): string =>
      `dd if=/dev/zero of=${path}/fill bs=1M count=20; sleep 1000`;
    await client.create(
      pods,
      podOnNode("volume", {
        containers: [
          { ...shellContainer("main", fill("/v")), volumeMounts: [{ name: "v", mountPath: "/v" }] },
        ],
        volumes: [{ name: "v", emptyDir: { sizeLimit: "10Mi" } }],
      }),
    );
    await client.create(
      pods,
      podOnNode("layer", {
        containers: [
          {
            ...shellContainer("main", fill("/tmp")),
            resources: { limits: { "ephemeral-storage": "10Mi" } },
          },
        ],
      }),
    );
    const evicted = await until(client, "volume", (pod) => pod?.status?.phase === "Failed");
    equal(evicted?.status?.reason, "Evicted");
    equal(evicted?.status?.message, 'Usage of EmptyDir volume "v" exceeds the limit "10Mi". ');
    equal(evicted?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 137);
    const layer = await until(client, "layer", (pod) => pod?.status?.phase === "Failed");
    match(
      layer?.status?.message ?? "",
      /^Pod ephemeral local storage usage exceeds the total limit of containers 10Mi\. $/,
    );
    await goneFrom(join(node.dataDir, "pods", evicted?.metadata.uid ?? ""), "volumes");
  },
);

test(
  "a node short of memory says so, evicts who takes most, and takes no others",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    const roomy = await node.startAgent();
    await client.create(
      pods,
      podOnNode("asks", {
        containers: [
          { ...shellContainer("main", "sleep 1000"), resources: { requests: { memory: "1Ki" } } },
        ],
      }),
    );
    await until(client, "asks", isReady);
    await roomy[Symbol.asyncDispose]();
    await node.startAgent({ settings: { evictionHard: { "memory.available": "99%" } } });
    const asks = await until(client, "asks", (pod) => pod?.status?.phase === "Failed");
    match(
      asks?.status?.message ?? "",
      /^The node was low on resource: memory\. Threshold quantity: \d+(Ki|Mi)?, available: \d+Ki\. Container main was using \d+Ki, request is 1Ki, has larger consumption of memory\. $/,
    );
    const disruption = asks?.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
    deepEqual([disruption?.status, disruption?.reason], ["True", "TerminationByKubelet"]);
    await eventually(client, "Attempting to reclaim memory");
    await eventually(client, "Node n status is now: NodeHasInsufficientMemory");
    const { status } = await client.get(nodes, { name: "n" });
    const pressure = status?.conditions?.find(({ type }) => type === "MemoryPressure");
    equal(pressure?.status, "True");
    await client.create(pods, podOnNode("late"));
    const late = await until(client, "late", (pod) => pod?.status?.phase === "Failed");
    deepEqual(
      [late?.status?.reason, late?.status?.message],
      ["Evicted", "Pod was rejected: The node had condition: [MemoryPressure]. "],
    );
  },
);

test(
  "images that nothing uses go when the disk is fuller than allowed, but for those made here",
  { skip: skip || missing("docker-registry") },
  async () => {
    await using node = await openRealNode();
    await using registry = await startRegistry(node);
    const { client, runtime } = node;
    const first = await node.startAgent();
    const passing = await registry.add("passing");
    const held = await registry.add("held");
    for (const [name, image] of [
      ["used", held],
      ["passing", passing],
    ] as const) {
      const containers = [{ ...shellContainer("main", "sleep 1000"), image }];
      await client.create(pods, podOnNode(name, { containers }));
      await until(client, name, isReady);
    }
    await client.delete(pods, { namespace: "default", name: "passing" });
    await holds(join(node.dataDir, "pods"), 1);
    await first[Symbol.asyncDispose]();
    await node.startAgent({
      settings: {
        imageGCHighThresholdPercent: 1,
        imageGCLowThresholdPercent: 0,
        imageMinimumGCAge: "0s",
      },
    });
    const tags = (await runtime.listImages()).flatMap((one) => one.tags);
    deepEqual(
      tags.filter((tag) => tag.includes("127.0.0.1")),
      [held],
    );
    ok(tags.includes("docker.io/library/busybox:test"), tags.join());
    await eventually(
      client,
      /^Failed to garbage collect required amount of images\. Attempted to free \d+ bytes/,
    );
  },
);

test("the statistics of a pod are what its processes use", { skip }, async () => {
  await using node = await openRealNode();
  const agent = await node.startAgent();
  const busy = "head -c 30000000 /dev/zero > /tmp/a; echo hi; while :; do :; done";
  await node.client.create(pods, podOnNode("busy", { containers: [shellContainer("main", busy)] }));
  await until(node.client, "busy", isReady);
  const page = async (path: string): Promise<string> =>
    (await agent.pages({ path, query: new URLSearchParams() })).body as string;
  let stats: PodStats | undefined;
  do stats = (JSON.parse(await page("/stats/summary")) as { pods: PodStats[] }).pods[0];
  while ((stats?.cpu.usageCoreNanoSeconds ?? 0) < 2e8);
  ok((stats?.cpu.usageNanoCores ?? 0) > 0, JSON.stringify(stats));
  equal(stats?.network.name, "eth0");
  ok(stats.network.rxBytes >= 0);
  ok((stats.containers[0]?.logs.usedBytes ?? 0) > 0);
  ok(stats.process_stats.process_count >= 2);
  ok(stats.memory.workingSetBytes > 100_000);
  match(
    await page("/metrics/cadvisor"),
    /^container_network_receive_bytes_total\{.*interface="eth0".*pod="busy"\}/m,
  );
});

interface PodStats {
  readonly cpu: { readonly usageNanoCores: number; readonly usageCoreNanoSeconds: number };
  readonly memory: { readonly workingSetBytes: number };
  readonly network: { readonly name: string; readonly rxBytes: number };
  readonly process_stats: { readonly process_count: number };
  readonly containers: readonly { readonly logs: { readonly usedBytes: number } }[];
}
