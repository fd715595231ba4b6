import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";

/** Gets and creates over HTTPS with the audit log off and on (default policy, a file), in turns; CPU is the process's, client included, of the best round. */
const rounds = 12;
const requests = 3_000;
const atOnce = 20;

const folder = mkdtempSync(join(tmpdir(), "kogge-bench-audit-"));
const pki = createMemoryPki(Date.now());
const client = pki.certificate("bench", {
  subject: { commonName: "bench", organizations: ["system:masters"] },
  use: "client",
});
const log = await openAuditLog({
  path: join(folder, "audit.log"),
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
const subjects = [await subject("off"), await subject("on", auditor)];
const best = new Map<string, number>();
for (let round = 0; round < rounds; round += 1) {
  for (const one of round % 2 === 0 ? subjects : subjects.toReversed()) {
    for (const act of ["get", "create"] as const) {
      const micros = await cpuOf(() => one[act](round));
      const key = `${act} ${one.name}`;
      best.set(key, Math.min(best.get(key) ?? Infinity, micros));
    }
  }
}
console.log("           audit off µs   audit on µs   ratio of rates");
for (const act of ["get", "create"]) {
  const [off = 0, on = 0] = ["off", "on"].map((name) => best.get(`${act} ${name}`));
  const columns = [off.toFixed(0).padStart(14), on.toFixed(0).padStart(14)];
  console.log(act.padEnd(9) + columns.join("") + (off / on).toFixed(3).padStart(17));
}
for (const one of subjects) await one[Symbol.asyncDispose]();
await log[Symbol.asyncDispose]();
rmSync(folder, { recursive: true });

async function subject(name: string, audit?: Auditor) {
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
  const session = connect(`https://localhost:${https.port}`, {
    ca: pki.authority.certificate,
    cert: client.certificate,
    key: client.key,
  });
  const path = "/api/v1/namespaces/default/configmaps";
  await send(session, "POST", path, configMap("read"));
  return {
    name,
    get: () => many(() => send(session, "GET", `${path}/read`)),
    create: (round: number) =>
      many((at) => send(session, "POST", path, configMap(`made-${round}-${at}`))),
    [Symbol.asyncDispose]: async () => {
      session.destroy();
      await https[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function configMap(name: string): string {
  const data = { key: "x".repeat(500) };
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
}

async function many(act: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < requests) await act((next += 1));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function cpuOf(act: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / requests;
}

function send(
  session: ClientHttp2Session,
  method: string,
  path: string,
  body?: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ":method": method, ":path": path, "content-type": "application/json" };
    const stream = session.request(headers);
    stream.on("response", ({ ":status": status }) => {
      if (Number(status) > 299) reject(new Error(`${method} ${path} answers ${status}`));
    });
    stream.on("error", reject);
    stream.on("end", resolve);
    stream.resume();
    stream.end(body);
  });
}
