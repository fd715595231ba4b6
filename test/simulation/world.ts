import { setImmediate as turn } from "node:timers/promises";
import type { Node, Pod } from "#api/generated/types.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { keyOf, nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { nodes, pods } from "#api/resources.ts";
import type { NodeSummary } from "#apiserver/metrics-api/node-summary.ts";
import { createApiServer } from "#apiserver/server.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { discoverResources } from "#client/discovery.ts";
import { createInformers, type Informers } from "#client/informers.ts";
import { createControllers } from "#controllers/controllers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import {
  faulty,
  interleaved,
  linger,
  told,
  type Faults,
  type Listener,
} from "#test/simulation/faults.ts";

/** A cluster in a time of its own: the real API server, controllers and scheduler; nodes that play dice. */
export interface World extends AsyncDisposable {
  readonly client: Client;
  /** Over a watch that never breaks: what is there. */
  readonly informers: Informers;
  /** What the controllers that run now see of it. */
  readonly seen: () => Informers;
  readonly random: Random;
  readonly nowMs: () => number;
  /** Lets some time pass: controllers work, nodes move their pods on. */
  step(maxMs?: number): Promise<void>;
  /** Ends the controllers in the middle of what they do, and starts others. */
  restart(): Promise<void>;
  /** Puts all clocks forward or, below 0, back; timers run on as they would have. */
  jump(byMs: number): void;
  /** From now on nothing goes wrong. */
  calm(): void;
  /** Steps until the condition holds; throws what `say` tells when that takes too long. */
  settle(condition: () => boolean, say: () => string): Promise<void>;
}

export interface WorldOptions {
  readonly seed: number;
  readonly nodeCount: number;
  readonly faults: Faults;
  /** Bytes of memory a running pod uses, for `metrics.k8s.io`. Default: none. */
  readonly memoryOf?: (pod: Pod) => number;
  readonly onRequest?: Listener;
}

const stepsMax = 3_000;
/** Steps of the microtask queue: a reconciliation takes some hundred. */
const midwayMax = 400;

export async function createWorld({
  seed,
  nodeCount,
  faults,
  memoryOf = () => 0,
  onRequest = () => {},
}: WorldOptions): Promise<World> {
  const random = seededRandom(seed);
  const order = seededRandom(seed + 1_000_000);
  const time = createManualClock(Date.UTC(2026, 0, 1));
  let jumpedMs = 0;
  const clock = { now: () => time.now() + jumpedMs, after: time.after.bind(time) };
  const parts = { clock, random, log: silentLog };
  const server = await createApiServer({
    ...parts,
    store: createMemoryStore(),
    kinds: builtinKinds(),
    serviceNetwork: { serviceCidr: "10.96.0.0/16" },
    nodeSummary: async (name) => summaryOf(podInformer.list(), { name, memoryOf }),
  });
  const transport = told(
    createInProcessTransport(server, { name: "a", groups: ["system:masters"] }),
    onRequest,
  );
  const client = createClient(transport);
  await workOutOnce(client);
  const ending = new AbortController();
  const informers = createInformers({ ...parts, client, signal: ending.signal });
  const podInformer = informers.of(pods);
  const names = Array.from({ length: nodeCount }, (_, at) => `node-${at}`);
  for (const name of names) await addNode(client, name);
  await informers.synced();
  let isCalm = false;
  const start = (): Running => {
    const stop = new AbortController();
    const lasting = interleaved(transport, order);
    const broken = createClient(faulty(lasting, { faults, random, isOn: () => !isCalm }));
    const shared = { ...parts, client: broken, signal: stop.signal };
    const own = createInformers(shared);
    const controllers = createControllers({ ...shared, informers: own, rootCa: "PEM" });
    const scheduler = createScheduler({ ...shared, informers: own });
    return {
      seen: own,
      async end() {
        stop.abort();
        await controllers[Symbol.asyncDispose]();
        await scheduler[Symbol.asyncDispose]();
      },
    };
  };
  let running = start();
  const step = async (maxMs = 2_000): Promise<void> => {
    time.advance(random() * maxMs);
    for (const name of names) await beat(client, name, clock.now());
    for (const pod of Array.from(podInformer.list())) {
      if (pod.spec?.nodeName && (isCalm || random() < 0.5)) {
        await movePod(client, pod, { nowMs: clock.now(), dice: isCalm ? 1 : random() });
      }
    }
    for (let turns = 0; turns < 20; turns++) await turn();
  };
  return {
    client,
    informers,
    seen: () => running.seen,
    random,
    nowMs: () => clock.now(),
    step,
    jump: (byMs) => void (jumpedMs += byMs),
    async restart() {
      time.advance(random() * 1_000);
      await linger(order, midwayMax);
      await running.end();
      running = start();
    },
    calm: () => void (isCalm = true),
    async settle(condition, say) {
      for (let steps = 0; !condition(); steps++) {
        if (steps === stepsMax) throw new Error(`It does not converge: ${say()}`);
        await step();
      }
    },
    async [Symbol.asyncDispose]() {
      await running.end();
      ending.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

interface Running {
  readonly seen: Informers;
  end(): Promise<void>;
}

/**
 * What a process works out once, on another thread, the hashes in discovery, takes a real time. It is over before the
 * simulated one begins, and so is the turn in which requests were made before.
 */
async function workOutOnce(client: Client): Promise<void> {
  await discoverResources(client);
  await turn();
}

function summaryOf(
  all: Iterable<Pod>,
  { name, memoryOf }: { readonly name: string; readonly memoryOf: (pod: Pod) => number },
): NodeSummary {
  const startTime = new Date(0).toISOString();
  const running = [...all].filter(
    ({ spec, status }) => spec?.nodeName === name && status?.phase === "Running",
  );
  const summaries = running.map((pod) => ({
    podRef: { name: nameOf(pod), namespace: namespaceOf(pod), uid: uidOf(pod) },
    containers: (pod.spec?.containers ?? []).map((container) => ({
      name: container.name,
      startTime,
      cpu: { time: startTime, usageNanoCores: 1_000_000 },
      memory: { workingSetBytes: memoryOf(pod) },
    })),
  }));
  return { node: { startTime }, pods: summaries };
}

async function addNode(client: Client, name: string): Promise<void> {
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    status: {
      allocatable: { cpu: "64", memory: "64Gi", pods: "500" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
  const { metadata } = await client.create(nodes, node);
  await client.update(nodes, { ...node, metadata }, { subresource: "status" });
}

async function beat(client: Client, name: string, nowMs: number): Promise<void> {
  const lastHeartbeatTime = new Date(nowMs).toISOString();
  const value = { status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime }] } };
  const options = { subresource: "status" };
  await client.patch(nodes, { name }, { kind: "strategic", value }, options);
}

/** One move of a node: a pod starts, becomes ready, ends or goes. Pods labelled `fragile` fail now and then. */
async function movePod(
  client: Client,
  pod: Pod,
  { nowMs, dice }: { readonly nowMs: number; readonly dice: number },
): Promise<void> {
  const at = { name: nameOf(pod), namespace: namespaceOf(pod) };
  const phase = pod.status?.phase;
  try {
    if (pod.metadata.deletionTimestamp) {
      const { uid = "" } = pod.metadata;
      await client.delete(pods, at, { gracePeriodSeconds: 0, preconditions: { uid } });
    } else if (phase === "Pending") {
      await write(client, pod, readyStatus(nowMs));
    } else if (phase === "Running" && pod.metadata.labels?.["fragile"] && dice < 0.05) {
      await write(client, pod, { phase: "Failed", conditions: [] });
    } else if (phase === "Running" && pod.spec?.restartPolicy !== "Always" && dice > 0.5) {
      await write(client, pod, { phase: "Succeeded" });
    } else if (phase === "Running" && !isReady(pod)) {
      await write(client, pod, readyStatus(nowMs));
    }
  } catch {
    // It has changed meanwhile; the next move sees it.
  }
}

async function write(client: Client, pod: Pod, status: object): Promise<void> {
  const value = { metadata: { uid: pod.metadata.uid }, status };
  const at = { name: nameOf(pod), namespace: namespaceOf(pod) };
  await client.patch(pods, at, { kind: "strategic", value }, { subresource: "status" });
}

function readyStatus(nowMs: number): object {
  const lastTransitionTime = new Date(nowMs).toISOString();
  return {
    phase: "Running",
    conditions: [{ type: "Ready", status: "True", lastTransitionTime }],
  };
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
}

/** Pods that count: neither ended nor leaving. */
export function activePods(informers: Informers, app: string): readonly Pod[] {
  return [...informers.of(pods).list()].filter(
    ({ metadata, status }) =>
      metadata.labels?.["app"] === app &&
      metadata.deletionTimestamp === undefined &&
      status?.phase !== "Failed" &&
      status?.phase !== "Succeeded",
  );
}

export function describePods(informers: Informers): string {
  return Array.from(
    informers.of(pods).list(),
    (pod) =>
      `${keyOf(pod)} ${pod.status?.phase}${isReady(pod) ? " ready" : ""}${pod.metadata.deletionTimestamp ? " leaving" : ""}`,
  ).join(", ");
}
