import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { configMaps, pods } from "#api/resources.ts";
import {
  cpuMsOf,
  printTable,
  runningNode,
  startCluster,
  temporaryDirectory,
} from "#bench/measure.ts";
import type { RunningNode } from "#bench/measure.ts";
import type { Load, LoadResult } from "#bench/load.ts";
import { unscheduledPod } from "#bench/workload.ts";

/**
 * Requests a second over HTTPS, against a bare Node HTTPS server that answers the same bytes; the load comes from a
 * process of its own. Where the load is what limits, the CPU time a request costs the server tells more.
 */
const rounds = 4;
const roundMs = 1_500;
const podCount = 1_000;

using scratch = temporaryDirectory();
await using cluster = await startCluster(["--runtime", "simulated"]);
const access = await loadKubeconfig(cluster.up.kubeconfig);
using transport = createHttpsTransport(access);
const client = createClient(transport);
for (let from = 0; from < podCount; from += 50) {
  const names = Array.from({ length: 50 }, (_, at) => `pod-${from + at}`);
  await Promise.all(names.map((name) => client.create(pods, unscheduledPod(name))));
}
for (let lane = 0; lane < 64; lane += 1) {
  await client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `lane-${lane}`, namespace: "default" },
    data: { count: "0" },
  });
}

type Asked = Pick<Load, "method" | "path" | "contentType" | "body" | "lanes">;
const inDefault = "/api/v1/namespaces/default";
const json = "application/json";
const cases: readonly (readonly [string, Asked])[] = [
  ["get a pod", { method: "GET", path: `${inDefault}/pods/pod-7`, lanes: 16 }],
  [
    "list 1,000 pods",
    { method: "GET", path: `${inDefault}/pods?labelSelector=app%3Dbench`, lanes: 4 },
  ],
  ["list 1,000 pods, no selector", { method: "GET", path: `${inDefault}/pods`, lanes: 4 }],
  ["list 100 pods of 1,000", { method: "GET", path: `${inDefault}/pods?limit=100`, lanes: 8 }],
  [
    "update a ConfigMap",
    {
      method: "PATCH",
      path: `${inDefault}/configmaps/lane-LANE`,
      contentType: "application/merge-patch+json",
      body: JSON.stringify({ data: { count: "COUNT" } }),
      lanes: 32,
    },
  ],
  [
    "apply a ConfigMap",
    {
      method: "PATCH",
      path: `${inDefault}/configmaps/applied-LANE?fieldManager=bench&force=true`,
      contentType: "application/apply-patch+yaml",
      body: JSON.stringify({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "applied-LANE", namespace: "default" },
        data: { count: "COUNT" },
      }),
      lanes: 32,
    },
  ],
  [
    "create a pod",
    {
      method: "POST",
      path: `${inDefault}/pods`,
      contentType: json,
      body: JSON.stringify(unscheduledPod("made-COUNT")),
      lanes: 32,
    },
  ],
];

const rows: (string | number)[][] = [];
for (const [name, asked] of cases) {
  const bytes = await answerOf(asked);
  const file = join(scratch.path, "answer");
  writeFileSync(file, bytes);
  for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
    await using bare = await runningNode("bare-server.ts", [file]);
    await using load = await runningNode("load.ts");
    const told = bare.told as { readonly port: number; readonly ca: string };
    const shared = { ...asked, protocol, durationMs: roundMs };
    const ours = {
      ...shared,
      port: Number(new URL(cluster.up.server).port),
      ca: String(access.ca),
      cert: String(access.clientCert),
      key: String(access.clientKey),
    };
    const [kogge, limit] = await compare(load, [
      { pid: cluster.up.pid, load: ours },
      { pid: bare.pid, load: { ...shared, port: told.port, ca: told.ca } },
    ]);
    rows.push([
      name,
      protocol,
      kogge.perSecond,
      limit.perSecond,
      kogge.perSecond / limit.perSecond,
      kogge.cpuMicros,
      limit.cpuMicros,
      limit.cpuMicros / kogge.cpuMicros,
    ]);
  }
}
printTable(["", "", "kogge /s", "bare /s", "ratio", "kogge CPU µs", "bare CPU µs", "ratio"], rows);

interface Rate {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

interface Subject {
  readonly pid: number;
  readonly load: Load;
}

/** The best round of each, the rounds taking turns. */
async function compare(
  loader: RunningNode,
  [one, other]: readonly [Subject, Subject],
): Promise<readonly [Rate, Rate]> {
  const rates: (readonly [Rate, Rate])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    rates.push([await rateOf(loader, one), await rateOf(loader, other)]);
  }
  return [bestOf(rates.map(([rate]) => rate)), bestOf(rates.map(([, rate]) => rate))];
}

function bestOf(rates: readonly Rate[]): Rate {
  return {
    perSecond: Math.max(...rates.map((rate) => rate.perSecond)),
    cpuMicros: Math.min(...rates.map((rate) => rate.cpuMicros)),
  };
}

async function rateOf(loader: RunningNode, { pid, load }: Subject): Promise<Rate> {
  const before = cpuMsOf(pid);
  const result = await new Promise<LoadResult>((resolve) => {
    loader.child.once("message", (message: LoadResult) => resolve(message));
    loader.child.send(load);
  });
  if (result.refused > 0) {
    throw new Error(
      `Cannot measure ${load.method} ${load.path}: ${result.refused} of ${result.answers} were refused`,
    );
  }
  return {
    perSecond: result.answers / (result.wallMs / 1_000),
    cpuMicros: ((cpuMsOf(pid) - before) * 1_000) / result.answers,
  };
}

/** The very bytes that the server answers. */
async function answerOf(asked: Asked): Promise<Buffer> {
  const { request } = await import("node:https");
  const fill = (text: string): string => text.replaceAll("COUNT", "first").replaceAll("LANE", "0");
  const url = new URL(fill(asked.path), cluster.up.server);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: asked.method,
        ca: access.ca as string,
        cert: access.clientCert as string,
        key: access.clientKey as string,
        headers: { ...(asked.contentType !== undefined && { "content-type": asked.contentType }) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks)));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(asked.body === undefined ? undefined : fill(asked.body));
  });
}
