import { strict as assert } from "node:assert";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WebSocket } from "ws";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { silentLog } from "#base/log.ts";
import { connectAttach, connectExec, connectPortForward } from "#agent/streams/spdy-client.ts";
import { nodeHeader, pageNotFound } from "#agent/streams/page.ts";
import { createStreamServer } from "#agent/streams/stream-server.ts";
import type { StreamServer } from "#agent/streams/stream-server.ts";
import { createFakeTargets } from "#agent/streams/testing/fake-targets.ts";

const authority = createAuthority(Date.now());
const serverPair = authority.issue({
  subject: { commonName: "system:node:a", organizations: ["system:nodes"] },
  use: "server",
  ipAddresses: ["127.0.0.1"],
});
const clientPair = authority.issue({
  subject: { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
  use: "client",
});
const credentials = {
  ca: authority.certificate,
  cert: clientPair.certificate,
  key: clientPair.key,
};
const targets = createFakeTargets();
let server: StreamServer;
/** Plain TCP before the server's TLS, as the runtime's streaming server is plain. */
const plain = createTcpServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  const far = connectTls({ port: server.port, host: "127.0.0.1", ...credentials });
  far.setNoDelay(true);
  near.pipe(far).pipe(near);
  near.on("error", () => far.destroy());
  far.on("error", () => near.destroy());
  near.on("close", () => far.destroy());
});
let plainUrl: string;

before(async () => {
  server = await createStreamServer({
    targets,
    tls: { cert: serverPair.certificate, key: serverPair.key, clientCa: authority.certificate },
    authorize: (peer, { path }) => peer.groups.includes("system:masters") && path !== "/secret",
    pages: async ({ path, node = "" }) => {
      if (path !== "/pods") throw pageNotFound();
      return { contentType: "application/json", body: JSON.stringify({ node }) };
    },
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  plainUrl = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
});

after(async () => {
  await server[Symbol.asyncDispose]();
  plain.close();
});

async function get(path: string, options: object = credentials): Promise<[number, string]> {
  const request = httpsRequest({
    host: "127.0.0.1",
    port: server.port,
    path,
    agent: false,
    ca: authority.certificate,
    ...options,
  }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return [response.statusCode ?? 0, await text(response)];
}

test("createStreamServer() answers pages and refuses in HTTP what it does not serve", async () => {
  const status = async (path: string, options?: object): Promise<[number, string]> => {
    const [code, body] = await get(path, options);
    return [code, (JSON.parse(body) as { message: string }).message];
  };
  assert.deepEqual(await get("/pods"), [200, '{"node":""}']);
  const headers = { [nodeHeader]: "a" };
  assert.deepEqual(await get("/pods", { ...credentials, headers }), [200, '{"node":"a"}']);
  assert.deepEqual(await status("/healthz", {}), [401, "Unauthorized"]);
  assert.equal((await status("/secret"))[0], 403);
  assert.deepEqual(await status("/nowhere"), [404, "404 page not found"]);
  assert.deepEqual(await status("/exec/ns/web/c?output=1"), [400, "you must specify a command"]);
  assert.deepEqual(await status("/exec/ns/web/c?command=a"), [
    400,
    "you must specify at least 1 of stdin, stdout, stderr",
  ]);
  assert.deepEqual(await status("/attach/ns/web/c?output=1"), [400, "Upgrade request required"]);
  assert.equal((await status("/containerLogs/ns/web/c?tailLines=-1"))[0], 422);
  assert.equal((await status("/exec/%zz/web/c?command=a"))[0], 400);
});

test("createStreamServer() serves logs as they are written", async () => {
  assert.deepEqual(await get("/containerLogs/ns/web/c?follow=true"), [200, "one\ntwo\nthree\n"]);
  assert.deepEqual(await get("/containerLogs/ns/web/c?tailLines=1"), [200, "three\n"]);
  const socket = openWebSocket("/containerLogs/ns/web/c", "base64.binary.k8s.io");
  const messages = await collect(socket);
  assert.equal(Buffer.from(messages.join(""), "base64").toString(), "one\ntwo\nthree\n");
});

function openWebSocket(path: string, ...protocols: string[]): WebSocket {
  return new WebSocket(`wss://127.0.0.1:${server.port}${path}`, protocols, credentials);
}

/** Every message until the connection closes. */
async function collect(socket: WebSocket): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  socket.on("message", (message: Buffer) => messages.push(message));
  await once(socket, "close");
  return messages;
}

function byChannel(messages: readonly Buffer[], isBase64 = false): Record<string, string> {
  const channels: Record<string, string> = {};
  for (const message of messages) {
    const channel = isBase64 ? message.toString()[0] : message[0];
    const data = isBase64
      ? Buffer.from(message.toString().slice(1), "base64")
      : message.subarray(1);
    channels[`${channel}`] = (channels[`${channel}`] ?? "") + data.toString();
  }
  return channels;
}

const success = `{"metadata":{},"status":"Success"}`;

test("exec over WebSocket v5 ends stdin with the close channel", async () => {
  const socket = openWebSocket("/exec/ns/web/c?command=cat&input=1&output=1", "v5.channel.k8s.io");
  const messages = collect(socket);
  await once(socket, "open");
  assert.equal(socket.protocol, "v5.channel.k8s.io");
  socket.send(Buffer.from("\0hello "));
  socket.send(Buffer.from("\0world"));
  socket.send(Buffer.from([255, 0]));
  assert.deepEqual(byChannel(await messages), { 1: "hello world", 3: success });
});

test("exec over each WebSocket protocol tells outputs and exit codes in that protocol's way", async () => {
  const failed = {
    metadata: {},
    status: "Failure",
    message:
      "command terminated with non-zero exit code: error executing command [exit 7], exit code 7",
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: "7" }] },
  };
  for (const protocol of ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"]) {
    const isBase64 = protocol.includes("base64");
    const run = (query: string): Promise<Buffer[]> =>
      collect(openWebSocket(`/exec/ns/web/c?${query}&stdout=true&stderr=true`, protocol));
    assert.deepEqual(byChannel(await run("command=both"), isBase64), {
      1: "to stdout\n",
      2: "to stderr\n",
      3: success,
    });
    const { 1: stdout, 3: error } = byChannel(await run("command=exit&command=7"), isBase64);
    assert.deepEqual([stdout, JSON.parse(error ?? "")], ["", failed]);
  }
  const old = byChannel(
    await collect(openWebSocket("/exec/ns/web/c?command=exit&command=7&output=1")),
  );
  assert.deepEqual(old, { 1: "", 3: failed.message });
});

test("exec over WebSocket is refused in HTTP for an unknown pod or protocol", async () => {
  for (const [pod, protocol, code] of [
    ["gone", "v5.channel.k8s.io", 404],
    ["web", "v9.channel.k8s.io", 400],
  ] as const) {
    const socket = openWebSocket(`/exec/ns/${pod}/c?command=cat&output=1`, protocol);
    socket.on("error", () => {});
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, code);
    socket.terminate();
  }
});

test("exec lets go of the process when a WebSocket client is gone abruptly", async () => {
  const socket = openWebSocket("/exec/ns/web/c?command=wait&input=1&output=1", "v5.channel.k8s.io");
  await once(socket, "message");
  assert.equal(targets.openProcesses(), 1);
  socket.terminate();
  while (targets.openProcesses() > 0) await setImmediate();
});

test("connectExec() and the server echo, half-close, resize and tell exit codes over SPDY", async () => {
  const url = `${plainUrl}/exec/ns/web/c?input=1&output=1&tty=1&command=cat`;
  const shell = await connectExec(url, {
    ...everything,
    stderr: false,
    tty: true,
    command: ["cat"],
  });
  shell.resize({ width: 120, height: 40 });
  shell.stdin!.end("typed");
  assert.equal(await text(shell.stdout!), "typed");
  assert.deepEqual(await shell.ended, { kind: "exited", code: 0 });
  assert.deepEqual(targets.sizes, [{ width: 120, height: 40 }]);

  const failing = await exec("exit", "3");
  failing.stderr!.resume();
  assert.deepEqual(
    [await text(failing.stdout!), await failing.ended],
    ["", { kind: "exited", code: 3 }],
  );
  const both = await exec("both");
  assert.deepEqual(await Promise.all([text(both.stdout!), text(both.stderr!)]), [
    "to stdout\n",
    "to stderr\n",
  ]);
  const attached = await connectAttach(`${plainUrl}/attach/ns/web/c?input=1&output=1`, {
    ...everything,
    stderr: false,
  });
  attached.stdin!.end("attached");
  assert.equal(await text(attached.stdout!), "attached");
});

const everything = { tty: false, stdin: true, stdout: true, stderr: true };

function exec(...command: string[]): ReturnType<typeof connectExec> {
  const query = command.map((word) => `&command=${word}`).join("");
  const options = { ...everything, stdin: false, command };
  return connectExec(`${plainUrl}/exec/ns/web/c?output=1&error=1${query}`, options);
}

test("connectExec() delivers 10 MB to a slow reader", async () => {
  const process = await exec("flood", "10485760");
  let receivedBytes = 0;
  process.stderr!.resume();
  for await (const chunk of process.stdout as AsyncIterable<Buffer>) {
    receivedBytes += chunk.length;
    await setImmediate();
  }
  assert.equal(receivedBytes, 10_485_760);
  assert.deepEqual(await process.ended, { kind: "exited", code: 0 });
});

test("connectExec() reports a refusal, and a connection lost, in its own words", async () => {
  await assert.rejects(
    connectExec(`${plainUrl}/exec/ns/gone/c?output=1&command=cat`, {
      ...everything,
      command: ["cat"],
    }),
    (error: Error) =>
      /streaming server/.test(error.message) && /404.*not found/s.test(String(error.cause)),
  );
  const silent = createTcpServer((socket) => {
    socket.once("data", () =>
      socket.end("HTTP/1.1 101 Yes\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n"),
    );
  }).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  await assert.rejects(exec1(`http://127.0.0.1:${port}/`), /Cannot connect/);
  silent.close();
});

const exec1 = (url: string): ReturnType<typeof connectExec> =>
  connectExec(url, { ...everything, command: ["cat"] });

test("exec serves 100 clients at once and lets go of those that break off", async () => {
  const runs = Array.from({ length: 100 }, async (_, index) => {
    const process = await exec1(`${plainUrl}/exec/ns/web/c?input=1&output=1&error=1&command=cat`);
    process.stderr!.resume();
    process.stdin!.write(`client ${index}`);
    if (index % 4 === 0) {
      process.stdout!.resume();
      process.close();
      return (await process.ended).kind;
    }
    process.stdin!.end();
    return text(process.stdout!);
  });
  const expected = Array.from({ length: 100 }, (_, index) =>
    index % 4 === 0 ? "failed" : `client ${index}`,
  );
  assert.deepEqual(await Promise.all(runs), expected);
  while (targets.openProcesses() > 0) await setImmediate();
});

test("connectPortForward() joins a port, and fails with the reason when there is none", async () => {
  const stream = await connectPortForward(`${plainUrl}/portForward/ns/web`, 80);
  stream.end(Buffer.alloc(1_000_000, "y"));
  assert.equal((await buffer(stream)).length, 1_000_000);
  const refused = await connectPortForward(`${plainUrl}/portForward/ns/web`, 81);
  await assert.rejects(text(refused), /error forwarding port 81 to pod web, .*connection refused/);
});

test("port-forward over WebSocket channels begins each with the port's number", async () => {
  const socket = openWebSocket("/portForward/ns/web?ports=80,81", "v4.channel.k8s.io");
  const messages: Buffer[] = [];
  socket.on("message", (message: Buffer) => messages.push(message));
  await once(socket, "open");
  socket.send(Buffer.from("\0ping"));
  const has = (part: string): boolean => Buffer.concat(messages).includes(part);
  while (!has("ping") || !has("refused")) await once(socket, "message");
  socket.terminate();
  const channels = byChannel(messages);
  assert.equal(channels[0], "P\0ping");
  assert.deepEqual([channels[1], channels[2]], ["P\0", "Q\0"]);
  assert.match(channels[3] ?? "", /^Q\0error forwarding port 81/);
});

test("the server survives connections that send anything at all after the upgrade", async () => {
  for (const garbage of [
    "\x80\x03\0\x01\0\xff\xff\xff",
    "\x80\x02\0\x01\0\0\0\0",
    "\0\0\0\0\0\0\0\0",
  ]) {
    const { port } = plain.address() as AddressInfo;
    const socket = connectTcp(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      "POST /portForward/ns/web HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" +
        "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n",
    );
    socket.write(garbage, "latin1");
    socket.resume();
    await once(socket, "close");
  }
  assert.deepEqual((await get("/pods"))[0], 200);
});

test("createStreamServer() cuts idle streams and refuses those past its limit", async () => {
  await using small = await createStreamServer({
    targets,
    tls: { cert: serverPair.certificate, key: serverPair.key, clientCa: authority.certificate },
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
    idleTimeoutMs: 300,
    sessionsMax: 1,
  });
  const open = (): WebSocket =>
    new WebSocket(
      `wss://127.0.0.1:${small.port}/exec/ns/web/c?command=wait&input=1&output=1`,
      "v5.channel.k8s.io",
      credentials,
    );
  const first = open();
  const closed = once(first, "close");
  await once(first, "open");
  const second = open().on("error", () => {});
  const [, response] = (await once(second, "unexpected-response")) as [unknown, IncomingMessage];
  assert.equal(response.statusCode, 429);
  second.terminate();
  await closed;
  while (targets.openProcesses() > 0) await setImmediate();
});
