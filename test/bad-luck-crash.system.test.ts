import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createWriter } from "#test/cluster-writes.ts";
import type { Writer } from "#test/cluster-writes.ts";
import { kubectlFor } from "#test/clients.ts";
import { freePort, koggeBinary, koggeFor } from "#test/kogge-command.ts";
import type { UpReport } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { configMaps } from "#test/refusals.ts";
import { temporaryFolder } from "#test/temporary.ts";

const up = ["--runtime", "simulated", "--nodes", "2", "--port", String(await freePort())];

test(
  "a server killed while it writes comes back with all it acknowledged, again and again",
  { skip: missing("linux", "clients"), timeout: 300_000 },
  async () => {
    using folder = temporaryFolder("crash");
    await using kogge = koggeFor(join(folder.path, "data"));
    let running = await kogge.up(up);
    const kubectl = kubectlFor(running.kubeconfig);
    await kubectl("create deployment web --image=web:1 --replicas=3");
    const acknowledged: Acknowledged = { made: new Set(), gone: new Set(), versions: new Map() };
    for (let round = 1; round <= 3; round++) {
      await stormUntilKilled(running, acknowledged, round);
      running = await kogge.up(up);
      deepEqual(await lost(running, acknowledged), [], `round ${round}`);
      await kubectl(`scale deployment web --replicas=${3 + round}`);
      await kubectl("rollout status deployment/web --timeout=60s");
    }
    ok(acknowledged.made.size > 100, `only ${acknowledged.made.size} writes were acknowledged`);
    equal(
      await kubectl("get pods -l app=web -o jsonpath={.items[*].status.phase}"),
      Array.from({ length: 6 }, () => "Running").join(" "),
    );
  },
);

test(
  "a server killed while it starts, or while others try to start it, comes back",
  { skip: missing("linux"), timeout: 300_000 },
  async () => {
    using folder = temporaryFolder("crash-start");
    const dataDir = join(folder.path, "data");
    await using kogge = koggeFor(dataDir);
    for (const afterMs of [20, 100, 200, 300, 400, 600, 900]) await killStart(dataDir, afterMs);
    const first = await kogge.up(up);
    process.kill(first.pid, "SIGKILL");
    for (const afterMs of [150, 300, 450, 600]) await killStart(dataDir, afterMs);
    const [left, right] = await Promise.allSettled([kogge.up(up), kogge.up(up)]);
    const ready = [left, right].filter((one) => one.status === "fulfilled");
    ok(ready.length > 0);
    const second = await kogge.up(up);
    notEqual(second.pid, first.pid);
    equal((await kogge.try(["status"])).code, 0);
    await kogge("down");
    equal((await kogge.try(["status"])).code, 3);
  },
);

interface Acknowledged {
  readonly made: Set<string>;
  readonly gone: Set<string>;
  /** The last value of the one object that is overwritten all the time. */
  readonly versions: Map<string, number>;
}

/** Creates, overwrites and deletes from many sides, and kills the server in the middle of it. */
async function stormUntilKilled(
  running: UpReport,
  known: Acknowledged,
  round: number,
): Promise<void> {
  using writer = createWriter(accessOf(readFileSync(running.kubeconfig, "utf8")));
  const creating = Array.from({ length: 6 }, (_, at) => create(writer, known, `r${round}-w${at}`));
  const updating = Array.from({ length: 2 }, (_, at) =>
    overwrite(writer, known, `o${round}-w${at}`),
  );
  const killed = (async () => {
    const enough = known.made.size + 150;
    while (known.made.size < enough) await new Promise((resolve) => setImmediate(resolve));
    process.kill(running.pid, "SIGKILL");
  })();
  await Promise.all([killed, ...creating, ...updating]);
}

async function create(writer: Writer, known: Acknowledged, prefix: string): Promise<void> {
  for (let index = 0; ; index++) {
    const name = `${prefix}-${index}`;
    const made = await writer.ask("POST", configMaps, {
      metadata: { name },
      data: { index: `${index}` },
    });
    if (made === undefined) return;
    equal(made.status, 201, made.object.message);
    known.made.add(name);
    if (index % 5 !== 4) continue;
    known.made.delete(name);
    const gone = await writer.ask("DELETE", `${configMaps}/${name}`);
    if (gone === undefined) return;
    equal(gone.status, 200, gone.object.message);
    known.gone.add(name);
  }
}

async function overwrite(writer: Writer, known: Acknowledged, name: string): Promise<void> {
  if (
    (await writer.ask("POST", configMaps, { metadata: { name }, data: { value: "0" } })) ===
    undefined
  )
    return;
  for (let value = 1; ; value++) {
    const body = { metadata: { name }, data: { value: `${value}` } };
    const written = await writer.ask("PUT", `${configMaps}/${name}`, body);
    if (written === undefined) return;
    equal(written.status, 200, written.object.message);
    known.versions.set(name, value);
  }
}

/** What was acknowledged and is not there now. */
async function lost(running: UpReport, known: Acknowledged): Promise<readonly string[]> {
  const access = accessOf(readFileSync(running.kubeconfig, "utf8"));
  const { object } = await send(access, { path: configMaps });
  const items = object.items as { metadata: { name: string }; data: { value?: string } }[];
  const there = new Map(items.map((item) => [item.metadata.name, item.data.value]));
  return [
    ...[...known.made].filter((name) => !there.has(name)),
    ...[...known.gone].filter((name) => there.has(name)).map((name) => `${name} is back`),
    ...[...known.versions]
      .filter(([name, value]) => !(Number(there.get(name)) >= value))
      .map(([name, value]) => `${name} was ${value}, is ${there.get(name)}`),
  ];
}

async function killStart(dataDir: string, afterMs: number): Promise<void> {
  const child = spawn(koggeBinary, ["up", "--data-dir", dataDir, ...up], {
    stdio: "ignore",
    detached: true,
  });
  const ended = once(child, "exit");
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  process.kill(-(child.pid ?? 0), "SIGKILL");
  await ended;
}
