import process from "node:process";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createApiServer, type ApiServer } from "#apiserver/server.ts";
import { encodeStored } from "#apiserver/cache/stored-object.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import { prefixRange, type Store } from "#storage/store.ts";
import { memoryOf, timed, type Memory } from "#bench/measure.ts";
import { unscheduledPod } from "#bench/workload.ts";

// `node objects-load.ts fill|bare|server DIRECTORY [COUNT]`: one process of `objects.ts`; tells what it saw as JSON.

export interface ObjectsReport {
  readonly startMs: number;
  readonly startCpuMs: number;
  readonly memory: Memory;
  readonly listMs: number;
  readonly getMicros: number;
}

const request: ApiRequest = {
  method: "GET",
  path: "",
  query: new URLSearchParams(),
  header: () => undefined,
  body: { kind: "none" },
  user: { name: "admin", groups: ["system:masters"] },
  signal: new AbortController().signal,
  answer: "bytes",
};

const pods = "/registry/core/pods/";
const [, , mode, directory = "", count = "0"] = process.argv;
await using store = await openLmdbStore({ directory });
if (mode === "fill") await fill(store, Number(count));
if (mode === "bare") console.log(JSON.stringify(await measureBare(store)));
if (mode === "server") console.log(JSON.stringify(await measureServer(store)));

async function fill(into: Store, pods: number): Promise<void> {
  for (let from = 0; from < pods; from += 1_000) {
    const names = Array.from({ length: Math.min(1_000, pods - from) }, (_, at) => from + at);
    await Promise.all(names.map((at) => into.put(keyOf(at), podBytes(at), 0)));
  }
}

function keyOf(at: number): string {
  return `${pods}default/pod-${at}`;
}

/** About 2 KB, as a pod of a Deployment that runs. */
function podBytes(at: number): Uint8Array {
  const pod = unscheduledPod(`pod-${at}`);
  return encodeStored({
    ...pod,
    metadata: {
      ...pod.metadata,
      uid: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
      creationTimestamp: "2026-01-01T00:00:00Z",
      annotations: { "example.com/text": "x".repeat(1_200) },
    },
    status: { phase: "Pending", qosClass: "Burstable" },
  } as never);
}

async function measureBare(from: Store): Promise<ObjectsReport> {
  const start = startClock();
  const { entries } = await from.list(prefixRange(pods));
  const held = new Map(entries.map(({ key, value }) => [key, value]));
  const started = start();
  const memory = await settledMemory();
  return { ...started, memory, listMs: 0, getMicros: held.size > 0 ? 0 : 1 };
}

async function measureServer(over: Store): Promise<ObjectsReport> {
  const start = startClock();
  await using server = await createApiServer({
    store: over,
    kinds: builtinKinds(),
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    serviceNetwork: { serviceCidr: "10.96.0.0/16" },
  });
  const started = start();
  const memory = await settledMemory();
  const list = await timed(() => send(server, "/api/v1/pods"));
  const gets = 20_000;
  const get = await timed(async () => {
    for (let at = 0; at < gets; at += 1) {
      await send(server, `/api/v1/namespaces/default/pods/pod-${at % 1_000}`);
    }
  });
  return { ...started, memory, listMs: list, getMicros: (get * 1_000) / gets };
}

/** What passes until the returned function is called; CPU time is that of all threads. */
function startClock(): () => { readonly startMs: number; readonly startCpuMs: number } {
  const start = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { startMs: performance.now() - start, startCpuMs: (user + system) / 1_000 };
  };
}

async function send(server: ApiServer, path: string): Promise<number> {
  const response = await server.handle({ ...request, path });
  if (response.kind !== "bytes" || response.status !== 200) throw new Error(`Cannot read ${path}`);
  let bytes = 0;
  for (const chunk of response.chunks) bytes += chunk.length;
  return bytes;
}

async function settledMemory(): Promise<Memory> {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return memoryOf(process.pid);
}
