import { configMaps } from "#api/resources.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { cpuMsOf, printTable, runningNode, startCluster } from "#bench/measure.ts";
import type { RunningNode } from "#bench/measure.ts";
import type { WatchLoad } from "#bench/watch-load.ts";

/**
 * One writer, many watchers over HTTP/2: events delivered a second, from the first write to the last delivery, against
 * a bare Node server that writes the same bytes to as many open answers.
 */
const writes = 50;
const rounds = 3;

await using cluster = await startCluster(["--runtime", "simulated"]);
const access = await loadKubeconfig(cluster.up.kubeconfig);
using transport = createHttpsTransport(access);
const client = createClient(transport);
await client.create(configMaps, {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "watched", namespace: "default" },
  data: { text: "x".repeat(1_000), count: "0" },
});
await using bare = await runningNode("bare-watch.ts");
const told = bare.told as { readonly port: number; readonly ca: string };

interface Rate {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

const rows: (string | number)[][] = [];
for (const watchers of [100, 1_000]) {
  const load = { watchers, events: watchers * writes };
  const ours: WatchLoad = {
    ...load,
    port: Number(new URL(cluster.up.server).port),
    ca: String(access.ca),
    cert: String(access.clientCert),
    key: String(access.clientKey),
    path: `/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=RV&fieldSelector=metadata.name%3Dwatched`,
  };
  const rates: { kogge: Rate; limit: Rate }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const resourceVersion = await versionOf(client);
    const path = ours.path.replace("RV", resourceVersion);
    rates.push({
      kogge: await deliver({ ...ours, path }, cluster.up.pid, writeAll),
      limit: await deliver({ ...load, ...told, path: "/" }, bare.pid, async () => {
        bare.child.send(writes);
      }),
    });
  }
  const kogge = bestOf(rates.map((rate) => rate.kogge));
  const limit = bestOf(rates.map((rate) => rate.limit));
  rows.push([
    `${watchers} watchers`,
    kogge.perSecond,
    limit.perSecond,
    kogge.perSecond / limit.perSecond,
    kogge.cpuMicros,
    limit.cpuMicros,
    limit.cpuMicros / kogge.cpuMicros,
  ]);
}
printTable(
  ["", "kogge events/s", "bare events/s", "ratio", "kogge CPU µs", "bare CPU µs", "ratio"],
  rows,
);
console.log(
  `CPU is the server's, by event delivered; Kogge's includes ${writes} durable writes a round.`,
);

async function versionOf(from: Client): Promise<string> {
  const { metadata } = await from.get(configMaps, { namespace: "default", name: "watched" });
  return metadata.resourceVersion ?? "";
}

async function writeAll(): Promise<void> {
  for (let count = 0; count < writes; count += 1) {
    await client.patch(
      configMaps,
      { namespace: "default", name: "watched" },
      { kind: "merge", value: { data: { count: `${performance.now()}` } } },
    );
  }
}

async function deliver(load: WatchLoad, pid: number, write: () => Promise<void>): Promise<Rate> {
  await using watchers = await runningNode("watch-load.ts");
  const open = nextMessage(watchers);
  watchers.child.send(load);
  await open;
  const all = nextMessage(watchers);
  const before = cpuMsOf(pid);
  const start = performance.now();
  await Promise.all([write(), all]);
  const wallMs = performance.now() - start;
  return {
    perSecond: load.events / (wallMs / 1_000),
    cpuMicros: ((cpuMsOf(pid) - before) * 1_000) / load.events,
  };
}

function nextMessage({ child }: RunningNode): Promise<unknown> {
  return new Promise((resolve) => child.once("message", resolve));
}

function bestOf(rates: readonly Rate[]): Rate {
  return {
    perSecond: Math.max(...rates.map((rate) => rate.perSecond)),
    cpuMicros: Math.min(...rates.map((rate) => rate.cpuMicros)),
  };
}
