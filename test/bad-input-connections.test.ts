import { deepEqual, equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { test } from "node:test";
import { buffer } from "node:stream/consumers";
import { createCluster } from "#main/testing.ts";
import { accessOf, openConnection, send, tlsOf } from "#test/raw-client.ts";
import type { Access } from "#test/raw-client.ts";
import { configMap, configMaps, post } from "#test/refusals.ts";
import { configMaps as resource } from "#api/resources.ts";

test("what is no HTTP, or has heads without end, is answered or cut off; others are served", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  const heads = [
    "\0\x01\x02 random bytes \xff\r\n\r\n",
    "GET /version HTTP/9.9\r\n\r\n",
    "GET /version HTTP/1.1\r\nno colon\r\n\r\n",
    `GET /version HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(300_000)}\r\n\r\n`,
    "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
  ];
  const answers: string[] = [];
  for (const head of heads) {
    const socket = await openConnection(access);
    socket.on("error", () => {});
    socket.write(head, "latin1");
    const text = await buffer(socket).then(String, () => "");
    answers.push(text.split("\r\n")[0] ?? "");
  }
  deepEqual(answers, [
    "HTTP/1.1 400 Bad Request",
    "HTTP/1.1 400 Bad Request",
    "HTTP/1.1 400 Bad Request",
    "HTTP/1.1 431 Request Header Fields Too Large",
    "HTTP/1.1 400 Bad Request",
    answers[5],
  ]);
  match(answers[5] ?? "", /^HTTP\/1\.1 (400|404|405) /);
  equal((await send(access, { path: "/version" })).status, 200);
});

test("clients that vanish in the middle of a request leave nothing behind", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  for (let round = 0; round < 50; round++) {
    const socket = await openConnection(access);
    socket.on("error", () => {});
    socket.write(
      `POST ${configMaps} HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n{"metadata":`,
    );
    socket.destroy();
  }
  const session = connect(`https://127.0.0.1:${access.port}`, tlsOf(access));
  session.on("error", () => {});
  for (let round = 0; round < 50; round++) {
    const stream = session.request({ ":method": "POST", ":path": configMaps });
    stream.on("error", () => {});
    stream.write('{"metadata":');
    if (round % 2 === 0) stream.close();
  }
  session.destroy();
  const listed = await send(access, { path: configMaps });
  deepEqual(
    (listed.object.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name),
    ["kube-root-ca.crt"],
  );
  equal((await send(access, post(configMap("after")))).status, 201);
  equal(await inFlight(access), 0);
});

test("connections that say nothing do not keep others out", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  const silent = await Promise.all(Array.from({ length: 100 }, () => openConnection(access)));
  equal((await send(access, { path: "/version" })).status, 200);
  for (const socket of silent) socket.destroy();
});

test("a reader that takes nothing is cut off, and the others get every event", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await using slow = openSession(access);
  await using quick = openSession(access);
  const path = `${configMaps}?watch=1&resourceVersion=0`;
  const stuck = slow.session.request({ ":path": path });
  stuck.on("error", () => {});
  await once(stuck, "response");
  // A stream that nobody has looked at yet is emptied by Node when the other side ends it.
  stuck.pause();
  const round = 3_000;
  const data = { a: "x".repeat(1_000) };
  const reading = quick.session.request({ ":path": path });
  const seen: string[] = [];
  // Twice, with a pause for those who read: together it is more than anybody may be behind.
  for (let from = 0; from < 2 * round; from += round) {
    for (let index = from; index < from + round; index += 100) {
      const batch = Array.from({ length: 100 }, (_, at) => `n${index + at}`);
      await Promise.all(
        batch.map((name) =>
          cluster.client.create(resource, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name, namespace: "default" },
            data,
          }),
        ),
      );
    }
    const last = `last${from}`;
    equal((await send(access, post(configMap(last)))).status, 201);
    seen.push(...(await names(reading, last)));
  }
  equal(seen.filter((name) => name.startsWith("n")).length, 2 * round);
  const got = (await names(stuck, "none")).filter((name) => name.startsWith("n")).length;
  ok(got < round, `the slow reader got ${got} events`);
});

/** How many requests the server is answering besides this one. */
async function inFlight(access: Access): Promise<number> {
  const { text } = await send(access, { path: "/metrics" });
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("apiserver_current_inflight_requests{"));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0) - 1;
}

interface Session extends AsyncDisposable {
  readonly session: ClientHttp2Session;
}

function openSession(access: Access): Session {
  const session = connect(`https://127.0.0.1:${access.port}`, tlsOf(access));
  session.on("error", () => {});
  return {
    session,
    async [Symbol.asyncDispose]() {
      const closed = once(session, "close");
      session.destroy();
      await closed;
    },
  };
}

/** The names in the events of a watch, up to `last` or the watch's end; what follows can be read later. */
async function names(stream: ClientHttp2Stream, last: string): Promise<readonly string[]> {
  const seen: string[] = [];
  let rest = "";
  for await (const chunk of stream.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { object } = JSON.parse(line) as { object: { metadata: { name: string } } };
      seen.push(object.metadata.name);
    }
    if (seen.includes(last)) return seen;
  }
  return seen;
}
