import { join } from "node:path";
import process from "node:process";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { createAuditor, type Auditor } from "#apiserver/audit/auditor.ts";
import { defaultAuditPolicy } from "#apiserver/audit/default-policy.ts";
import { startHttpsServer } from "#apiserver/node/https-server.ts";
import { openAuditLog } from "#apiserver/node/audit/audit-log.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { createApiServer } from "#apiserver/server.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { requestOf } from "#test/api-server.ts";
import type { Load, LoadResult } from "#bench/load.ts";
import { printTable, runningNode, temporaryDirectory, wait } from "#bench/measure.ts";

/**
 * Gets and creates with the audit log off and on (default policy, a file), in turns: what a request costs the server's
 * process, in CPU time. First without connections, by calls in the process, which a busy machine disturbs least; then
 * over HTTPS, the load coming from a process of its own. Of the best turn, and in the median of the ratios of turns that
 * follow each other.
 */
const pairs = 20;
const turnMs = 400;
/** Few: each turn opens its connections anew, and a handshake costs as much as dozens of requests. */
const lanes = 4;
const warmUpPairs = 3;
const callPairs = 40;
const calls = 1_000;
const flushMs = 40;
let made = 0;
const path = "/api/v1/namespaces/default/configmaps";

using folder = temporaryDirectory();
const pki = createMemoryPki(Date.now());
const client = pki.certificate("bench", {
  subject: { commonName: "bench", organizations: ["system:masters"] },
  use: "client",
});
await using log = await openAuditLog({
  path: join(folder.path, "audit.log"),
  format: "json",
  maxBytes: 100 * 1024 * 1024,
  maxBackups: 1,
  maxAgeMs: 0,
  clock: systemClock,
  log: silentLog,
  onLost: (count) => console.log(`lost ${count} events`),
});
const auditor = createAuditor({
  policy: defaultAuditPolicy,
  backends: [log],
  clock: systemClock,
});
await using off = await serve();
await using on = await serve(auditor);
await using loader = await runningNode("load.ts");
const body = configMap("made-COUNT");
const acts: readonly (readonly [string, Pick<Load, "method" | "path" | "body">])[] = [
  ["get", { method: "GET", path: `${path}/read` }],
  ["create", { method: "POST", path, body }],
];
const rows: (string | number)[][] = [];
for (const [name, asked] of acts) {
  rows.push([
    `${name}, a call`,
    ...(await compare(callPairs, (server) => costOfCalls(server, asked))),
  ]);
}
for (const [name, asked] of acts) {
  rows.push([`${name}, HTTPS`, ...(await compare(pairs, ({ port }) => costOf(port, asked)))]);
}
printTable(["", "off, CPU µs", "on, CPU µs", "ratio of rates", "median of pairs"], rows);

/** The best cost of each, their ratio, and the median of the pairs' ratios. */
async function compare(
  count: number,
  cost: (server: Awaited<ReturnType<typeof serve>>) => Promise<number>,
): Promise<readonly number[]> {
  const seen: (readonly [off: number, on: number])[] = [];
  for (let pair = -warmUpPairs; pair < count; pair += 1) {
    const isTurned = pair % 2 !== 0;
    const first = await cost(isTurned ? on : off);
    const second = await cost(isTurned ? off : on);
    if (pair >= 0) seen.push(isTurned ? [second, first] : [first, second]);
  }
  const bestOff = Math.min(...seen.map(([plain]) => plain));
  const bestOn = Math.min(...seen.map(([, audited]) => audited));
  return [
    bestOff,
    bestOn,
    bestOff / bestOn,
    median(seen.map(([plain, audited]) => plain / audited)),
  ];
}

/** Until the log is written too. */
async function costOfCalls(
  { handle }: Awaited<ReturnType<typeof serve>>,
  { method, body }: Pick<Load, "method" | "body">,
): Promise<number> {
  const start = process.cpuUsage();
  for (let at = 0; at < calls; at += 1) {
    made += 1;
    const text = body?.replace("COUNT", `call-${made}`) ?? "";
    const asked = requestOf(method, body === undefined ? `${path}/read` : path, { text });
    const none = body === undefined && ({ body: { kind: "none" } } as const);
    await handle({ ...asked, ...none, remoteAddress: "127.0.0.1" });
  }
  await wait(flushMs);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / calls;
}

/** Microseconds of this process by request. */
async function costOf(
  port: number,
  asked: Pick<Load, "method" | "path" | "body">,
): Promise<number> {
  const load: Load = {
    ...asked,
    contentType: "application/json",
    port,
    ca: pki.authority.certificate,
    cert: client.certificate,
    key: client.key,
    protocol: "HTTP/1.1",
    lanes,
    durationMs: turnMs,
  };
  const start = process.cpuUsage();
  const { answers, refused } = await new Promise<LoadResult>((resolve) => {
    loader.child.once("message", (message: LoadResult) => resolve(message));
    loader.child.send(load);
  });
  const { user, system } = process.cpuUsage(start);
  if (refused > 0) throw new Error(`Cannot measure ${asked.method}: ${refused} were refused`);
  return (user + system) / answers;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function serve(audit?: Auditor) {
  const server = await createApiServer({
    store: createMemoryStore(),
    kinds: builtinKinds(),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    serviceNetwork: { serviceCidr: "10.96.0.0/16" },
    ...(audit && { audit }),
  });
  const refuse = (): Promise<never> => Promise.reject(new Error("nothing to connect to"));
  const https = await startHttpsServer({
    handle: (request) => server.handle(request),
    ...pki.certificate("server", {
      subject: { commonName: "server" },
      use: "server",
      dnsNames: ["localhost"],
      ipAddresses: ["127.0.0.1"],
    }),
    clientAuthority: pki.authority.certificate,
    tokens: [],
    connector: { request: refuse, upgrade: refuse },
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
  const made = await server.handle(requestOf("POST", path, { text: configMap("read") }));
  if (made.kind !== "bytes" || made.status !== 201) throw new Error("Cannot make what is read");
  return {
    port: https.port,
    handle: (request: ApiRequest) => server.handle(request),
    [Symbol.asyncDispose]: async () => {
      await https[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function configMap(name: string): string {
  const data = { key: "x".repeat(500) };
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
}
