import process from "node:process";
import type { ConfigMap } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { pathOf, type Resource } from "#api/resource.ts";
import { configMaps, customResourceDefinitions } from "#api/resources.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import type { Load, LoadResult } from "#bench/load.ts";
import { cpuMsOf, memoryOf, printTable, runningNode, startCluster } from "#bench/measure.ts";

/**
 * What a kind that a CustomResourceDefinition defines costs, at 10,000 objects: creating, getting, listing and
 * beginning a watch of them, against ConfigMaps that hold the same. `node bench/custom.ts [COUNT]`
 */
const [count = 10_000] = process.argv.slice(2).map(Number);
const atOnce = 32;
const turn = Math.min(500, count);
const rounds = 4;

interface Backup extends KubeObject {
  readonly spec: { readonly source: string; readonly copies: number; readonly days: string[] };
}

const backups: Resource<Backup> = {
  group: "example.com",
  version: "v1",
  kind: "Backup",
  resource: "backups",
  namespaced: true,
};

const text = "x".repeat(1_000);
const schema = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["source"],
      properties: {
        source: { type: "string", pattern: "^[a-z]+$", maxLength: 2_000 },
        copies: { type: "integer", minimum: 1 },
        days: { type: "array", maxItems: 7, items: { type: "string", maxLength: 3 } },
        keepDays: { type: "integer", default: 30 },
      },
      "x-kubernetes-validations": [
        { rule: "self.copies <= self.keepDays", message: "there are not that many days" },
      ],
    },
  },
};

await using cluster = await startCluster(["--runtime", "simulated"]);
const { pid, server } = cluster.up;
const access = await loadKubeconfig(cluster.up.kubeconfig);
using transport = createHttpsTransport(access);
const client = createClient(transport);
await defineBackups();

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Subject {
  readonly name: string;
  readonly resource: Resource;
  readonly create: (at: number) => Promise<unknown>;
  readonly costs: Record<"create" | "get" | "list" | "watch", Cost[]>;
  megabytes: number;
}

const custom = subject("custom", backups, (at) => client.create(backups, backupOf(at)));
const builtin = subject("built-in", configMaps, (at) => client.create(configMaps, configMapOf(at)));
const subjects = [builtin, custom];
for (let from = 0; from < count; from += turn) {
  for (const one of subjects) await createTurn(one, from);
}
for (let round = 0; round < rounds; round += 1) {
  for (const one of subjects) {
    const path = pathOf(one.resource, { namespace: "default" });
    one.costs.get.push(await ask(`${path}/${nameOf(7)}`, 16));
    one.costs.list.push(await ask(path, 1));
    one.costs.watch.push(await costOf(() => watchAll(one.resource)));
  }
}
printTable(
  [`${count} objects of each`, "custom ms", "built-in ms", "ratio", "CPU ms", "CPU ms", "ratio"],
  [
    rowOf("create", "create one"),
    rowOf("get", "get one, 16 at a time"),
    rowOf("list", "list all"),
    rowOf("watch", "begin a watch of all"),
  ],
);
console.log(
  `memory of the server: ${custom.megabytes.toFixed(0)} MB for the custom, ${builtin.megabytes.toFixed(0)} MB for the built-in; CPU is the server's`,
);

function subject(
  name: string,
  resource: Resource,
  create: (at: number) => Promise<unknown>,
): Subject {
  const costs = { create: [], get: [], list: [], watch: [] };
  return { name, resource, create, costs, megabytes: 0 };
}

function rowOf(act: keyof Subject["costs"], label: string): (string | number)[] {
  const [ours, theirs] = [custom, builtin].map((one) => medianOf(one.costs[act]));
  if (ours === undefined || theirs === undefined) return [label];
  const ratios = [ours.wallMs / theirs.wallMs, ours.cpuMs / theirs.cpuMs];
  return [label, ours.wallMs, theirs.wallMs, ratios[0], ours.cpuMs, theirs.cpuMs, ratios[1]] as (
    | string
    | number
  )[];
}

function medianOf(costs: readonly Cost[]): Cost {
  const middle = (of: (cost: Cost) => number): number =>
    costs.map(of).toSorted((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  return { wallMs: middle((cost) => cost.wallMs), cpuMs: middle((cost) => cost.cpuMs) };
}

async function createTurn(one: Subject, from: number): Promise<void> {
  const before = memoryOf(pid).anonymousMb;
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + turn) await one.create(next++);
  };
  const { wallMs, cpuMs } = await costOf(() => Promise.all(Array.from({ length: atOnce }, lane)));
  one.costs.create.push({ wallMs: wallMs / turn, cpuMs: cpuMs / turn });
  one.megabytes += memoryOf(pid).anonymousMb - before;
}

async function costOf(act: () => Promise<unknown>): Promise<Cost> {
  const before = cpuMsOf(pid);
  const start = performance.now();
  await act();
  return { wallMs: performance.now() - start, cpuMs: cpuMsOf(pid) - before };
}

/** The mean of what each request costs within a second. */
async function ask(path: string, lanes: number): Promise<Cost> {
  await using load = await runningNode("load.ts");
  const asked: Load = {
    port: Number(new URL(server).port),
    ca: String(access.ca),
    cert: String(access.clientCert),
    key: String(access.clientKey),
    protocol: "HTTP/1.1",
    method: "GET",
    path,
    lanes,
    durationMs: 1_000,
  };
  const before = cpuMsOf(pid);
  const { answers, refused, wallMs } = await new Promise<LoadResult>((resolve) => {
    load.child.once("message", (message: LoadResult) => resolve(message));
    load.child.send(asked);
  });
  if (refused > 0) throw new Error(`Cannot measure ${path}: ${refused} of ${answers} were refused`);
  return { wallMs: wallMs / answers, cpuMs: (cpuMsOf(pid) - before) / answers };
}

/** From the request to the bookmark that ends the objects there are. */
async function watchAll(resource: Resource): Promise<void> {
  const stop = new AbortController();
  const events = await client.watch(resource, {
    signal: stop.signal,
    namespace: "default",
    sendInitialEvents: true,
    allowWatchBookmarks: true,
  });
  for await (const event of events) {
    if (event.type === "BOOKMARK" && event.initialEventsEnd) break;
  }
  stop.abort();
}

function nameOf(at: number): string {
  return `one-${at}`;
}

function backupOf(at: number): Backup {
  return {
    apiVersion: "example.com/v1",
    kind: "Backup",
    metadata: { name: nameOf(at), namespace: "default" },
    spec: { source: text, copies: 3, days: ["mon", "wed", "fri"] },
  };
}

function configMapOf(at: number): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: nameOf(at), namespace: "default" },
    data: { source: text, copies: "3", days: "mon wed fri" },
  };
}

/** Defined with a rule in CEL, a default and a pattern, as definitions usually are. */
async function defineBackups(): Promise<void> {
  await client.create(customResourceDefinitions, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "backups.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "backups", singular: "backup", kind: "Backup", listKind: "BackupList" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  });
  while (!(await isServed())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function isServed(): Promise<boolean> {
  const { status } = await client.get(customResourceDefinitions, { name: "backups.example.com" });
  return (status?.conditions ?? []).some(
    (one) => one.type === "Established" && one.status === "True",
  );
}
