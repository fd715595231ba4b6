import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { CpuRates } from "#agent/stats/usage.ts";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { createCluster } from "#main/testing.ts";
import { accessOf, send } from "#test/raw-client.ts";

const busy: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "busy",
    namespace: "default",
    annotations: { "simulated.kogge.dev/cpu": "2", "simulated.kogge.dev/memory.side": "1Gi" },
  },
  spec: {
    nodeName: "node-2",
    containers: [
      {
        name: "main",
        image: "a",
        resources: { requests: { cpu: "1", memory: "128Mi" } },
      },
      { name: "side", image: "a" },
    ],
  },
};

test("each node of a cluster answers for itself with pods, statistics and metrics", async () => {
  await using cluster = await createCluster({ nodes: 2 });
  const { client } = cluster;
  await client.create(pods, busy);
  await using watch = new AsyncDisposableStack();
  const stop = new AbortController();
  watch.defer(() => stop.abort());
  const at = { fieldSelector: "metadata.name=busy", namespace: "default", signal: stop.signal };
  for await (const event of await client.watch(pods, { ...at, sendInitialEvents: true })) {
    if (event.type === "BOOKMARK") continue;
    if (event.object.status?.phase === "Running") break;
  }
  const access = accessOf(cluster.kubeconfig);
  const get = (path: string) => send(access, { path });
  const page = async (node: string, path: string): Promise<string> => {
    const answer = await get(`/api/v1/nodes/${node}/proxy${path}`);
    equal(answer.status, 200, answer.text);
    return answer.text;
  };
  const summary = JSON.parse(await page("node-2", "/stats/summary")) as Summary;
  equal(summary.node.nodeName, "node-2");
  const [stats] = summary.pods;
  deepEqual(
    stats?.containers.map(({ name, cpu, memory }) => [name, cpu.usageNanoCores, memory]),
    [
      ["main", 2e9, workingSet(64 * 1024 ** 2, stats?.containers[0]?.memory)],
      ["side", 2e9, workingSet(1024 ** 3, stats?.containers[1]?.memory)],
    ],
  );
  deepEqual((JSON.parse(await page("node-1", "/stats/summary")) as Summary).pods, []);
  const metrics = await page("node-2", "/metrics/resource");
  match(
    metrics,
    /^pod_memory_working_set_bytes\{namespace="default",pod="busy"\} 1140850688 \d{13}$/m,
  );
  match(
    metrics,
    /^container_cpu_usage_seconds_total\{container="main",namespace="default",pod="busy"\} [\d.]+ \d{13}$/m,
  );
  match(metrics, /^resource_scrape_error 0$/m);
  match(
    await page("node-2", "/metrics/cadvisor"),
    /^container_memory_rss\{container="main",.*pod="busy"\} 67108864 /m,
  );
  match(await page("node-2", "/metrics"), /^kubelet_running_pods 1$/m);
  const list = JSON.parse(await page("node-2", "/pods")) as { items: Pod[] };
  deepEqual(
    list.items.map(({ metadata }) => metadata.name),
    ["busy"],
  );
  match(await page("node-1", "/configz"), /"evictionHard":\{/);
  equal(await page("node-1", "/healthz"), "ok");
  equal((await get("/api/v1/nodes/node-1/proxy/nowhere")).status, 404);
});

interface Summary {
  readonly node: { readonly nodeName: string };
  readonly pods: readonly {
    readonly containers: readonly {
      readonly name: string;
      readonly cpu: { readonly usageNanoCores: number };
      readonly memory: { readonly time: string };
    }[];
  }[];
}

function workingSet(bytes: number, memory: { readonly time: string } | undefined): object {
  const same = { usageBytes: bytes, workingSetBytes: bytes, rssBytes: bytes };
  return { time: memory?.time, ...same };
}

test("CpuRates tells the rate since the start first, then between looks", () => {
  const rates = new CpuRates();
  const look = (timeMs: number, cpuNanoseconds: number): number =>
    rates.rate("a", { timeMs, cpuNanoseconds }, 1000);
  deepEqual(
    [look(3000, 1e9), look(3500, 9e9), look(5000, 5e9), look(7000, 5e9), look(8000, 0)],
    [5e8, 5e8, 2e9, 0, 0],
  );
});
