import { open } from "lmdb";
import { join } from "node:path";
import { configMaps } from "#api/resources.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { printTable, runningNode, startCluster, temporaryDirectory } from "#bench/measure.ts";
import type { Load } from "#bench/load.ts";
import type { WatchLoad } from "#bench/watch-load.ts";

/**
 * How long a durable write takes, one after the other, alone and beside 16 readers and 1,000 watchers of another
 * object, against a put of the same bytes into a bare lmdb.
 */
const writes = 1_000;
const watchersMax = 1_000;
const textBytes = 1_000;

await using cluster = await startCluster(["--runtime", "simulated"]);
const access = await loadKubeconfig(cluster.up.kubeconfig);
using transport = createHttpsTransport(access);
const client = createClient(transport);
for (const name of ["written", "read"]) {
  await client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default" },
    data: { text: "x".repeat(textBytes), count: "0" },
  });
}
const target = {
  port: Number(new URL(cluster.up.server).port),
  ca: String(access.ca),
  cert: String(access.clientCert),
  key: String(access.clientKey),
};
const path = "/api/v1/namespaces/default/configmaps";

const rows = [row("bare lmdb", await bareTimes()), row("kogge, alone", await writeTimes())];
{
  await using load = await runningNode("load.ts");
  const asked: Load = {
    ...target,
    protocol: "HTTP/1.1",
    method: "GET",
    path: `${path}/read`,
    lanes: 16,
    durationMs: 600_000,
  };
  load.child.send(asked);
  rows.push(row("kogge, 16 readers", await writeTimes()));
}
{
  await using watchers = await runningNode("watch-load.ts");
  const asked: WatchLoad = {
    ...target,
    path: `${path}?watch=true&fieldSelector=metadata.name%3Dwritten`,
    watchers: watchersMax,
    events: watchersMax * (writes + 2) * 2,
  };
  const opened = new Promise((resolve) => watchers.child.once("message", resolve));
  watchers.child.send(asked);
  await opened;
  rows.push(row("kogge, 1,000 watchers of the object", await writeTimes()));
}
printTable(["a durable write of 1 KB, ms", "median", "p99", "longest"], rows);

function row(name: string, times: readonly number[]): (string | number)[] {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return [name, at(0.5), at(0.99), at(1)];
}

async function writeTimes(): Promise<number[]> {
  return timesOf(async (count) => {
    await client.patch(
      configMaps,
      { namespace: "default", name: "written" },
      { kind: "merge", value: { data: { count: String(count) } } },
    );
  });
}

async function bareTimes(): Promise<number[]> {
  using directory = temporaryDirectory();
  const database = open<Uint8Array, string>({
    path: join(directory.path, "bare"),
    encoding: "binary",
    overlappingSync: false,
  });
  const value = new Uint8Array(textBytes).fill(97);
  const times = await timesOf(async () => void (await database.put("key", value)));
  await database.close();
  return times;
}

async function timesOf(act: (count: number) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let count = 0; count < writes; count += 1) {
    const start = performance.now();
    await act(count);
    times.push(performance.now() - start);
  }
  return times;
}
