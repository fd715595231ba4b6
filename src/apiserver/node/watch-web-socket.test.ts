import { deepEqual, equal, ok } from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { test } from "node:test";
import { WebSocket } from "ws";
import type { ClientOptions } from "ws";
import { silentLog } from "#base/log.ts";
import { createConnector } from "#apiserver/node/connect/connector.ts";
import { startHttpsServer } from "#apiserver/node/https-server.ts";
import type { HttpsServer } from "#apiserver/node/https-server.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import { createTestServer } from "#test/api-server.ts";

const pki = createMemoryPki(Date.now());
const serving = pki.certificate("apiserver", {
  subject: { commonName: "kube-apiserver" },
  use: "server",
  dnsNames: ["localhost"],
  ipAddresses: ["127.0.0.1"],
});
const client = pki.certificate("root", {
  subject: { commonName: "root", organizations: ["system:masters"] },
  use: "client",
});

const configMaps = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { text: "two\nlines" },
});

test("a watch over a WebSocket sends each event as a message of its own and closes at its timeout", async () => {
  await using api = await createTestServer();
  await using edge = await start((asked) => api.server.handle(asked));
  await api.send("POST", configMaps, { body: configMap("one") });
  await api.send("POST", configMaps, { body: configMap("two") });
  const socket = connect(edge, `${configMaps}?watch=true&timeoutSeconds=30`);
  const messages = received(socket);
  const before = [await messages.next(), await messages.next()];
  await api.send("DELETE", `${configMaps}/one`);
  const after = await messages.next();
  deepEqual(
    [...before, after].map((message) => [message?.binary, shown(message?.bytes)]),
    [
      [false, "ADDED one"],
      [false, "ADDED two"],
      [false, "DELETED one"],
    ],
  );
  equal(before[0]?.bytes.at(-1), 0x0a, "as upstream's encoder, it ends the line");
  api.clock.advance(30_000);
  const [code] = (await once(socket, "close")) as [number];
  equal(code, 1000);
});

test("a watch in protobuf sends binary messages without the length that delimits frames elsewhere", async () => {
  await using api = await createTestServer();
  await using edge = await start((asked) => api.server.handle(asked));
  await api.send("POST", configMaps, { body: configMap("one") });
  await api.send("POST", configMaps, { body: configMap("two") });
  const accept = "application/vnd.kubernetes.protobuf;stream=watch";
  const socket = connect(edge, `${configMaps}?watch=true`, { headers: { accept } });
  const messages = received(socket);
  for (const name of ["one", "two"]) {
    const message = await messages.next();
    equal(message?.binary, true);
    // Field 1 is the type, and the object is an envelope that begins with k8s.
    equal(message?.bytes.subarray(0, 7).toString("latin1"), "\x0a\x05ADDED");
    ok(message?.bytes.includes("k8s\0") && message.bytes.includes(name));
  }
  socket.terminate();
});

test("a browser's token travels as a subprotocol, and another one is agreed on", async () => {
  const asked: string[] = [];
  await using edge = await start(async ({ user }) => {
    asked.push(user.name);
    return stream(() => ({ resume: () => {}, stop: () => {} }));
  });
  const token = `base64url.bearer.authorization.k8s.io.${Buffer.from("good").toString("base64url")}`;
  const protocols = [token, "base64.binary.k8s.io"];
  const socket = connect(edge, "/watch", { cert: undefined, key: undefined }, protocols);
  await once(socket, "open");
  deepEqual([asked, socket.protocol], [["robot"], "base64.binary.k8s.io"]);
  socket.terminate();
});

test("what cannot be watched is refused in HTTP, and a handshake that is none too", async () => {
  await using api = await createTestServer();
  await using edge = await start((asked) => api.server.handle(asked));
  const refusals: unknown[] = [];
  for (const path of [`${configMaps}?watch=true&resourceVersion=x`, "/api/v1/nothing?watch=true"]) {
    const socket = connect(edge, path);
    const [outgoing, answer] = (await once(socket, "unexpected-response")) as [
      { destroy(): void },
      IncomingMessage,
    ];
    refusals.push(answer.statusCode);
    outgoing.destroy();
  }
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  const path = `${configMaps}?watch=true`;
  const outgoing = request({ ...options(edge), path, headers }).end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  answer.resume();
  deepEqual([...refusals, answer.statusCode], [400, 404, 400]);
});

test("a client that does not read holds its watch back, and gets all when it reads on", async () => {
  const framesMax = 4_000;
  const frame = Buffer.from(`${"x".repeat(64 * 1024 - 1)}\n`);
  let written = 0;
  const held = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  await using edge = await start(async () =>
    stream((sink) => {
      setImmediate(() => {
        while (written < framesMax) {
          written++;
          if (sink.write(frame)) continue;
          held.resolve();
          return;
        }
        held.reject(new Error("nothing held the watch back"));
      });
      const resume = (): void => {
        resumed.resolve();
        sink.end();
      };
      return { resume, stop: () => {} };
    }),
  );
  const socket = connect(edge, "/watch");
  let messages = 0;
  socket.on("message", () => messages++);
  await once(socket, "open");
  socket.pause();
  await held.promise;
  socket.resume();
  await resumed.promise;
  await once(socket, "close");
  deepEqual([messages, written < framesMax], [written, true]);
});

test("a client that goes, or that sends too much, ends its watch; what else it says is ignored", async () => {
  for (const leave of [
    (socket: WebSocket) => socket.close(),
    (socket: WebSocket) => socket.terminate(),
    (socket: WebSocket) => socket.send(Buffer.alloc(100_000)),
  ]) {
    const stopped = Promise.withResolvers<void>();
    await using edge = await start(async () =>
      stream((sink) => {
        sink.write(Buffer.from("first\nsecond\n"));
        return { resume: () => {}, stop: stopped.resolve };
      }),
    );
    const socket = connect(edge, "/watch");
    socket.on("error", () => {});
    const messages = received(socket);
    equal((await messages.next())?.bytes.toString(), "first\n");
    socket.send("nobody listens");
    equal((await messages.next())?.bytes.toString(), "second\n");
    leave(socket);
    await stopped.promise;
    socket.terminate();
  }
});

type Frames = Extract<ApiResponse, { kind: "stream" }>["frames"];

function stream(begin: Frames["start"]): ApiResponse {
  return {
    kind: "stream",
    status: 200,
    headers: [["content-type", "application/json"]],
    frames: { start: begin },
  };
}

function start(handle: (asked: ApiRequest) => Promise<ApiResponse>): Promise<HttpsServer> {
  return startHttpsServer({
    handle,
    key: serving.key,
    certificate: serving.certificate,
    clientAuthority: pki.authority.certificate,
    tokens: [async (token) => (token === "good" ? { name: "robot", groups: [] } : undefined)],
    connector: createConnector({
      ...client,
      authority: () => [pki.authority.certificate],
      node: async () => undefined,
      endpoint: async () => undefined,
    }),
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
}

function options(edge: HttpsServer) {
  const { key, certificate: cert } = client;
  return { host: "127.0.0.1", port: edge.port, ca: pki.authority.certificate, key, cert };
}

function connect(
  edge: HttpsServer,
  path: string,
  more: ClientOptions = {},
  protocols: string[] = [],
): WebSocket {
  const { key, cert, ca } = options(edge);
  const url = `wss://127.0.0.1:${edge.port}${path}`;
  return new WebSocket(url, protocols, { ca, key, cert, ...more });
}

interface Received {
  readonly bytes: Buffer;
  readonly binary: boolean;
}

/** The messages one by one, kept from the first on. */
function received(socket: WebSocket): { next(): Promise<Received | undefined> } {
  const messages: Received[] = [];
  let wake = (): void => {};
  socket.on("message", (data: Buffer, binary: boolean) => {
    messages.push({ bytes: data, binary });
    wake();
  });
  return {
    async next() {
      while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return messages.shift();
    },
  };
}

function shown(bytes: Buffer | undefined): string {
  const event = JSON.parse(String(bytes)) as {
    type: string;
    object: { metadata: { name: string } };
  };
  return `${event.type} ${event.object.metadata.name}`;
}
