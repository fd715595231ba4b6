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
import { createApiServer } from "#apiserver/server.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { requestOf } from "#test/api-server.ts";
import type { Load, LoadResult } from "#bench/load.ts";
import { printTable, runningNode, temporaryDirectory } from "#bench/measure.ts";

/**
 * Gets and creates over HTTPS with the audit log off and on (default policy, a file), in turns; the load comes from a
 * process of its own. A request costs what the servers' process spends on it, in CPU time: of the best turn, which
 * others on the machine disturbed least, and in the median of the ratios of turns that follow each other.
 */
const pairs = 30;
const turnMs = 250;
const lanes = 16;
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
  const seen: (readonly [off: number, on: number])[] = [];
  for (let pair = 0; pair <= pairs; pair += 1) {
    const isTurned = pair % 2 === 1;
    const first = await costOf((isTurned ? on : off).port, asked);
    const second = await costOf((isTurned ? off : on).port, asked);
    // The first pair warms up.
    if (pair > 0) seen.push(isTurned ? [second, first] : [first, second]);
  }
  const bestOff = Math.min(...seen.map(([plain]) => plain));
  const bestOn = Math.min(...seen.map(([, audited]) => audited));
  const ratios = seen.map(([plain, audited]) => plain / audited);
  rows.push([name, bestOff, bestOn, bestOff / bestOn, median(ratios)]);
}
printTable(["", "off, CPU µs", "on, CPU µs", "ratio of rates", "median of pairs"], rows);

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
