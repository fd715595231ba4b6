import process from "node:process";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import type { CoreV1Event, Node, Pod, PodSpec } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { events, nodes, pods, serviceAccounts } from "#api/resources.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { printTable } from "#bench/measure.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createInformers } from "#client/informers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

/**
 * How fast the scheduler binds pods that wait already: API server and scheduler in this process, nodes that are only
 * objects, no controllers. As upstream's scheduler_perf, which also counts from the first pod waiting to the last bound.
 * Next to it: how fast the same server makes pods when nobody schedules them, and what the writes alone cost: as many
 * bindings and events, made by a client that chooses nodes in turn, with the same watches open.
 */
const nodeCounts = (process.argv[2] ?? "100,1000,5000").split(",").map(Number);
const zoneLabel = "topology.kubernetes.io/zone";
const hostLabel = "kubernetes.io/hostname";

interface Workload {
  readonly name: string;
  /** At 5,000 nodes, as upstream's scheduler_perf has them; a fifth at fewer. */
  readonly pods: number;
  /** Placed before; likewise. */
  readonly first: number;
  readonly spec: Partial<PodSpec>;
}

const green = { labelSelector: { matchLabels: { app: "measured" } } };
const zones = ["zone-0", "zone-1"];
const inZones = { matchExpressions: [{ key: zoneLabel, operator: "In", values: zones }] };
const workloads: readonly Workload[] = [
  { name: "basic", pods: 10_000, first: 1_000, spec: {} },
  {
    name: "node affinity",
    pods: 10_000,
    first: 5_000,
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [inZones] },
        },
      },
    },
  },
  {
    name: "pod anti-affinity",
    pods: 2_000,
    first: 1_000,
    spec: {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ ...green, topologyKey: hostLabel }],
        },
      },
    },
  },
  {
    name: "topology spread",
    pods: 5_000,
    first: 5_000,
    spec: {
      topologySpreadConstraints: [
        { ...green, maxSkew: 5, topologyKey: zoneLabel, whenUnsatisfiable: "DoNotSchedule" },
      ],
    },
  },
];

const chosen = process.argv[3];
// Without sockets nothing else keeps the process: the clock's timers do not.
setInterval(() => {}, 1_000);
const rows: (string | number)[][] = [];
for (const nodeCount of nodeCounts) {
  for (const workload of workloads) {
    if (chosen !== undefined && chosen !== workload.name) continue;
    rows.push(await measure(nodeCount, workload));
  }
}
printTable(
  [
    "nodes",
    "workload",
    "pods",
    "created /s",
    "bound /s",
    "writes alone /s",
    "CPU µs a pod",
    "writes alone",
    "times",
  ],
  rows,
);
process.exit();

async function measure(nodeCount: number, workload: Workload): Promise<(string | number)[]> {
  const stop = new AbortController();
  const parts = { clock: systemClock, random: seededRandom(1), log: silentLog };
  const server = await createApiServer({
    ...parts,
    store: createMemoryStore(),
    kinds: builtinKinds(),
    serviceNetwork: { serviceCidr: "10.96.0.0/16" },
  });
  const user = { name: "admin", groups: ["system:masters"] };
  const client = createClient(createInProcessTransport(server, user));
  // Pods wait for it, and nobody makes it here.
  await client.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  await inBatches(nodeCount, (index) => addNode(client, index));
  // Anti-affinity by node has no place for more.
  const isApart = workload.name === "pod anti-affinity";
  const share = nodeCount < 5_000 ? 0.2 : 1;
  const firstWanted = workload.first * share;
  const first = isApart ? Math.min(firstWanted, nodeCount / 2) : firstWanted;
  const wanted = workload.pods * share;
  const measured = isApart ? Math.min(wanted, nodeCount - first) : wanted;
  const informers = createInformers({ ...parts, client, signal: stop.signal });
  const podInformer = informers.of(pods);
  await inBatches(first, (index) => client.create(pods, podOf(`first-${index}`, workload)));
  {
    await using _scheduler = createScheduler({ ...parts, client, informers, signal: stop.signal });
    await podInformer.until(() => boundIn(podInformer.list()) === first, stop.signal);
  }
  const creating = performance.now();
  await inBatches(measured, (index) => client.create(pods, podOf(`pod-${index}`, workload)));
  const createdPerSecond = measured / ((performance.now() - creating) / 1000);
  let bound = 0;
  const done = Promise.withResolvers<void>();
  podInformer.onChange((change) => {
    if (change.kind !== "modified" || change.old.spec?.nodeName) return;
    if (change.object.spec?.nodeName && ++bound === measured) done.resolve();
  });
  const cpu = process.cpuUsage();
  const start = performance.now();
  const scheduler = createScheduler({ ...parts, client, informers, signal: stop.signal });
  await done.promise;
  const seconds = (performance.now() - start) / 1000;
  const { user: userUs, system } = process.cpuUsage(cpu);
  await scheduler[Symbol.asyncDispose]();
  const perPod = (userUs + system) / measured;
  const bare = await writesAlone(client, measured, { nodeCount, workload });
  stop.abort();
  await server[Symbol.asyncDispose]();
  const rates = [createdPerSecond, measured / seconds, bare.perSecond];
  return [nodeCount, workload.name, measured, ...rates, perPod, bare.cpuUs, perPod / bare.cpuUs];
}

/** Binds as many pods, and writes their events, without looking where they fit. */
async function writesAlone(
  client: Client,
  count: number,
  { nodeCount, workload }: { readonly nodeCount: number; readonly workload: Workload },
): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
  const made: Pod[] = [];
  await inBatches(count, async (index) => {
    const pod = podOf(`bare-${index}`, workload);
    made.push(
      await client.create(pods, {
        ...pod,
        spec: { ...pod.spec, schedulerName: "nobody" } as PodSpec,
      }),
    );
  });
  const cpu = process.cpuUsage();
  const start = performance.now();
  await inBatches(count, async (index) => {
    const { metadata } = made[index] as Pod;
    const at = { namespace: "default", name: metadata.name ?? "" };
    const target = { kind: "Node", name: `node-${index % nodeCount}` };
    const named = { ...at, ...(metadata.uid && { uid: metadata.uid }) };
    const binding = { apiVersion: "v1", kind: "Binding", metadata: named, target } as KubeObject;
    await client.post(pods, { ...at, subresource: "binding" }, binding);
    await client.create(events, scheduledEvent(at, target.name));
  });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuUs: (user + system) / count };
}

function scheduledEvent(about: { namespace: string; name: string }, node: string): CoreV1Event {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${about.name}.1`, namespace: about.namespace },
    involvedObject: { kind: "Pod", ...about },
    reason: "Scheduled",
    message: `Successfully assigned ${about.namespace}/${about.name} to ${node}`,
    type: "Normal",
  };
}

function boundIn(all: Iterable<Pod>): number {
  return [...all].filter(({ spec }) => spec?.nodeName).length;
}

function podOf(name: string, { spec }: Workload): Pod {
  const requests = { cpu: "10m", memory: "10Mi" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "measured" } },
    spec: { ...spec, containers: [{ name: "c", image: "i", resources: { requests } }] },
  };
}

async function addNode(client: Client, index: number): Promise<void> {
  const name = `node-${index}`;
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { [hostLabel]: name, [zoneLabel]: `zone-${index % 3}` } },
    status: {
      allocatable: { cpu: "4", memory: "32Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
  const { metadata } = await client.create(nodes, node);
  const ready = { ...node, metadata: { ...metadata } };
  await client.update(nodes, ready, { subresource: "status" });
  await client.patch(nodes, { name }, { kind: "merge", value: { spec: { taints: null } } });
}

async function inBatches(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += 50) {
    const size = Math.min(50, count - from);
    await Promise.all(Array.from({ length: size }, (_, index) => act(from + index)));
  }
}
