import { deepEqual, equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { createWriter } from "#test/cluster-writes.ts";
import type { Writer } from "#test/cluster-writes.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf, openConnection, send, tlsOf } from "#test/raw-client.ts";
import type { Access } from "#test/raw-client.ts";
import { configMap, configMaps, post } from "#test/refusals.ts";
import { temporaryFolder } from "#test/temporary.ts";

const watchesPerSession = 500;
const writers = 50;
const path = `${configMaps}?watch=1&fieldSelector=metadata.name%3Dtold`;

test(
  "10,000 watches are open at once and each gets its event",
  { skip: missing("linux"), timeout: 240_000 },
  async (context) => {
    using folder = temporaryFolder("watches");
    await using kogge = koggeFor(join(folder.path, "data"));
    const { kubeconfig, pid } = await kogge.up([
      "--runtime",
      "simulated",
      "--port",
      String(await freePort()),
    ]);
    const access = accessOf(readFileSync(kubeconfig, "utf8"));
    const beforeKb = residentKb(pid);
    const sessions = Array.from({ length: 10_000 / watchesPerSession }, () => openSession(access));
    try {
      const told: Promise<unknown>[] = [];
      for (const session of sessions) {
        const streams = Array.from({ length: watchesPerSession }, () =>
          session.request({ ":path": path }),
        );
        told.push(...streams.map(firstEvent));
        await Promise.all(streams.map((stream) => once(stream, "response")));
      }
      const afterKb = residentKb(pid);
      context.diagnostic(
        `${((afterKb - beforeKb) / told.length).toFixed(1)} KB of the server's memory a watch`,
      );
      equal((await send(access, post(configMap("told")))).status, 201);
      const events = await Promise.all(told);
      deepEqual([events.length, new Set(events)], [10_000, new Set(["ADDED told"])]);
    } finally {
      for (const session of sessions) session.destroy();
    }
    equal((await send(access, { path: "/readyz" })).status, 200);
  },
);

test(
  "watches that nobody reads while 50,000 events happen cost a bounded amount of memory",
  { skip: missing("linux"), timeout: 240_000 },
  async (context) => {
    using folder = temporaryFolder("slow");
    await using kogge = koggeFor(join(folder.path, "data"));
    const { kubeconfig, pid } = await kogge.up([
      "--runtime",
      "simulated",
      "--port",
      String(await freePort()),
    ]);
    const access = accessOf(readFileSync(kubeconfig, "utf8"));
    using writer = createWriter(access, writers);
    await overwrite(writer, 5_000);
    const beforeKb = residentKb(pid);
    const session = openSession(access);
    try {
      const streams = Array.from({ length: 20 }, () =>
        session.request({ ":path": `${configMaps}?watch=1` }),
      );
      await Promise.all(streams.map((stream) => once(stream, "response")));
      await overwrite(writer, 50_000);
      const grownMb = (residentKb(pid) - beforeKb) / 1024;
      context.diagnostic(
        `${grownMb.toFixed(0)} MB more after 50,000 events of 2 KB with 20 watches unread`,
      );
      ok(grownMb < 400, `the server grew by ${grownMb.toFixed(0)} MB`);
    } finally {
      session.destroy();
    }
    equal((await send(access, { path: `${configMaps}/busy-1` })).status, 200);
  },
);

test(
  "1,000 connections that say nothing keep nobody out",
  { skip: missing("linux"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("silent");
    await using kogge = koggeFor(join(folder.path, "data"));
    const { kubeconfig } = await kogge.up([
      "--runtime",
      "simulated",
      "--port",
      String(await freePort()),
    ]);
    const access = accessOf(readFileSync(kubeconfig, "utf8"));
    const silent = [];
    for (let round = 0; round < 20; round++)
      silent.push(...(await Promise.all(Array.from({ length: 50 }, () => openConnection(access)))));
    equal((await send(access, { path: configMaps })).status, 200);
    equal((await send(access, post(configMap("heard")))).status, 201);
    for (const socket of silent) socket.destroy();
    equal((await send(access, { path: "/readyz" })).status, 200);
  },
);

test(
  "a body that comes a byte a second, or never, is answered with 504 after a minute",
  { skip: missing("linux"), timeout: 120_000 },
  async () => {
    await using cluster = await createCluster();
    const access = accessOf(cluster.kubeconfig);
    const session = openSession(access);
    const never = session.request({ ":method": "POST", ":path": configMaps });
    never.write("{");
    const socket = await openConnection(access);
    socket.write(`POST ${configMaps} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n`);
    const drip = setInterval(() => socket.write(" "), 1_000);
    try {
      const answers = await Promise.all([once(never, "data"), once(socket, "data")]);
      for (const [chunk] of answers as unknown as readonly (readonly [Buffer])[])
        match(
          String(chunk),
          /"message":"Timeout: request did not complete within the allotted timeout"/,
        );
      equal((await send(access, { path: "/readyz" })).status, 200);
    } finally {
      clearInterval(drip);
      socket.destroy();
      session.destroy();
    }
  },
);

function openSession(access: Access): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${access.port}`, tlsOf(access));
  session.setMaxListeners(0);
  session.on("error", () => {});
  return session;
}

async function firstEvent(stream: ClientHttp2Stream): Promise<string> {
  stream.on("error", () => {});
  stream.setEncoding("utf8");
  let line = "";
  while (!line.endsWith("\n")) line += String((await once(stream, "data"))[0]);
  const event = JSON.parse(line) as { type: string; object: { metadata: { name: string } } };
  return `${event.type} ${event.object.metadata.name}`;
}

/** Each of many writers overwrites an object of its own, so that they do not wait for each other. */
async function overwrite(writer: Writer, count: number): Promise<void> {
  const eachWrites = async (index: number): Promise<void> => {
    const name = `busy-${index}`;
    await writer.ask("POST", configMaps, { metadata: { name } });
    for (let value = 1; value <= count / writers; value++) {
      const body = { metadata: { name }, data: { a: "x".repeat(2_000), value: `${value}` } };
      const written = await writer.ask("PUT", `${configMaps}/${name}`, body);
      equal(written?.status, 200, written?.object.message);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, index) => eachWrites(index)));
}

function residentKb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
}
