import { deployments, pods } from "#api/resources.ts";
import { printTable } from "#bench/measure.ts";
import { simulatedDeployment, unscheduledPod, whenReady } from "#bench/workload.ts";
import { createCluster } from "#main/testing.ts";
import type { TestCluster } from "#main/testing.ts";

/**
 * Pods on their way in a simulated cluster in this process: how fast they are created when nobody looks at them, and
 * how fast a Deployment's pods are made, scheduled, started and Ready, on 10, 100 and 1,000 nodes.
 */
const podCount = 1_000;
const nodeCounts = [10, 100, 1_000];

const rows: (string | number)[][] = [];
for (const nodes of nodeCounts) {
  await using cluster = await createCluster({ nodes });
  const created = await perSecond(() => createUnscheduled(cluster));
  const bound = Promise.withResolvers<void>();
  const watching = whenAllBound(cluster, bound.resolve);
  const start = performance.now();
  await cluster.client.create(deployments, simulatedDeployment("measured", podCount));
  await bound.promise;
  const boundMs = performance.now() - start;
  await whenReady(cluster.client, "measured", podCount);
  const readyMs = performance.now() - start;
  await watching;
  const scheduled = podCount / (boundMs / 1_000);
  rows.push([`${nodes} nodes`, created, scheduled, scheduled / created, boundMs, readyMs]);
}
printTable(
  ["1,000 pods", "created /s", "made and bound /s", "ratio", "all bound ms", "all Ready ms"],
  rows,
);
process.exit();

async function perSecond(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return podCount / ((performance.now() - start) / 1_000);
}

async function createUnscheduled({ client }: TestCluster): Promise<void> {
  for (let from = 0; from < podCount; from += 50) {
    const names = Array.from({ length: 50 }, (_, at) => `alone-${from + at}`);
    await Promise.all(names.map((name) => client.create(pods, unscheduledPod(name))));
  }
}

async function whenAllBound({ client }: TestCluster, done: () => void): Promise<void> {
  const stop = new AbortController();
  const events = await client.watch(pods, {
    signal: stop.signal,
    namespace: "default",
    labelSelector: "app=measured",
  });
  const bound = new Set<string>();
  for await (const event of events) {
    if (event.type === "BOOKMARK" || event.object.spec?.nodeName === undefined) continue;
    bound.add(event.object.metadata.name ?? "");
    if (bound.size === podCount) break;
  }
  stop.abort();
  done();
}
