import { deepEqual, equal, match } from "node:assert/strict";
import { createServer } from "node:https";
import type { Server } from "node:https";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { notFound } from "#api/status.ts";
import { createConnector } from "#apiserver/node/connect/connector.ts";
import { startHttpsServer } from "#apiserver/node/https-server.ts";
import type { HttpsServer } from "#apiserver/node/https-server.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import type { ApiRequest, ApiResponse, FrameSource } from "#apiserver/request.ts";

const pki = createMemoryPki(Date.now());
const serving = pki.certificate("apiserver", {
  subject: { commonName: "kube-apiserver" },
  use: "server",
  dnsNames: ["localhost"],
  ipAddresses: ["127.0.0.1"],
});
const client = pki.certificate("jane", {
  subject: { commonName: "jane", organizations: ["dev"] },
  use: "client",
});

test("a request's method, path, query, headers, body and user arrive, over HTTP/1.1 and HTTP/2", async () => {
  await using server = await start(async (received) => echo(received));
  const expected = {
    method: "POST",
    path: "/api/v1/pods",
    query: "dryRun=All",
    type: "application/json",
    body: "{}",
    user: { name: "jane", groups: ["dev", "system:authenticated"] },
  };
  deepEqual(
    JSON.parse(
      (await call(server, { method: "POST", path: "/api/v1/pods?dryRun=All", body: "{}" })).body,
    ),
    expected,
  );
  deepEqual(await callHttp2(server, "POST", "/api/v1/pods?dryRun=All", "{}"), expected);
});

test("a valid token names its user, an unknown one is refused, none is anonymous", async () => {
  await using server = await start(async (received) => echo(received));
  const names: string[] = [];
  for (const headers of [{ authorization: "Bearer good" }, undefined]) {
    const answer = await call(server, { path: "/", headers, anonymous: true });
    names.push((JSON.parse(answer.body) as { user: { name: string } }).user.name);
  }
  deepEqual(names, ["robot", "system:anonymous"]);
  const refused = await call(server, {
    path: "/",
    headers: { authorization: "Bearer bad" },
    anonymous: true,
  });
  equal(refused.status, 401);
  equal((JSON.parse(refused.body) as { reason: string }).reason, "Unauthorized");
});

test("a refusal thrown by the pipeline is answered as its Status, a bug as an InternalError", async () => {
  await using server = await start(async (received) => {
    if (received.path === "/bug") throw new TypeError("x is not a function");
    throw notFound({ group: "", resource: "pods" }, "web");
  });
  const missing = await call(server, { path: "/missing" });
  equal(missing.status, 404);
  match(missing.body, /pods \\"web\\" not found/);
  equal((await call(server, { path: "/bug" })).status, 500);
});

test("large answers are compressed for clients that take gzip, small ones are not", async () => {
  await using server = await start(async (received) =>
    bytes(Buffer.alloc(received.path === "/large" ? 300_000 : 10, "a")),
  );
  const headers = { "accept-encoding": "gzip" };
  const encodings = [
    (await call(server, { path: "/large", headers })).encoding,
    (await call(server, { path: "/small", headers })).encoding,
    (await call(server, { path: "/large" })).encoding,
  ];
  deepEqual(encodings, ["gzip", undefined, undefined]);
});

test("a body over the limit reads as undefined, and the connection goes on", async () => {
  await using server = await start(async (received) => {
    const body = received.body.kind === "bytes" ? await received.body.read(1000) : undefined;
    return bytes(Buffer.from(body === undefined ? "too long" : "fine"));
  });
  equal(
    (await call(server, { method: "POST", path: "/", body: "x".repeat(2000) })).body,
    "too long",
  );
  equal((await call(server, { method: "POST", path: "/", body: "x" })).body, "fine");
});

test("the signal of a request is aborted when its client goes away, and the stream's iteration ends", async () => {
  const ended = Promise.withResolvers<void>();
  await using server = await start(async (received) => ({
    kind: "stream",
    status: 200,
    headers: [["content-type", "application/json"]],
    frames: frames(() => {
      if (received.signal.aborted) ended.resolve();
    }),
  }));
  const outgoing = request(optionsFor(server, { path: "/watch" }));
  outgoing.end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  await once(answer, "data");
  outgoing.destroy();
  await ended.promise;
});

test("an upgrade is passed on to the node byte for byte, a refusal of the node reaches the client", async () => {
  const node = await startNode();
  const { port } = node.address() as AddressInfo;
  await using server = await start(
    async (received) => ({
      kind: "connect",
      headers: [],
      target: {
        kind: "pod",
        action: "exec",
        pod: {
          metadata: { namespace: "default", name: received.query.get("pod") },
          spec: { containers: [{ name: "main" }] },
        },
        nodeName: "node-1",
        query: new URLSearchParams("command=sh"),
      },
    }),
    port,
  );
  const upgrade = { connection: "Upgrade", upgrade: "echo" };
  const outgoing = request(optionsFor(server, { path: "/exec?pod=web", headers: upgrade }));
  outgoing.end();
  const [answer, socket] = (await once(outgoing, "upgrade")) as [IncomingMessage, Socket];
  equal(answer.statusCode, 101);
  socket.write("hello");
  equal(String((await once(socket, "data"))[0]), "/exec/default/web/main?command=sh:hello");
  socket.destroy();
  const refused = await call(server, { path: "/exec?pod=gone", headers: upgrade });
  deepEqual([refused.status, refused.body], [404, "no such pod"]);
  node.close();
});

async function startNode(): Promise<Server> {
  const node = createServer({ key: serving.key, cert: serving.certificate }, (_request, response) =>
    response.end(),
  );
  node.on("upgrade", (incoming, socket) => {
    if (incoming.url?.includes("/gone/")) {
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 11\r\n\r\nno such pod");
      return;
    }
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
    );
    socket.on("data", (chunk: Buffer) => socket.write(`${incoming.url}:${chunk.toString()}`));
    socket.on("end", () => socket.end());
  });
  node.listen(0, "127.0.0.1");
  await once(node, "listening");
  return node;
}

async function start(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  nodePort = 0,
): Promise<HttpsServer> {
  return startHttpsServer({
    handle,
    key: serving.key,
    certificate: serving.certificate,
    clientAuthority: pki.authority.certificate,
    tokens: [async (token) => (token === "good" ? { name: "robot", groups: [] } : undefined)],
    connector: createConnector({
      ...client,
      authority: () => [pki.authority.certificate],
      node: async () => ({
        status: {
          addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
          daemonEndpoints: { kubeletEndpoint: { Port: nodePort } },
        },
      }),
      endpoint: async () => undefined,
    }),
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
}

async function echo(received: ApiRequest): Promise<ApiResponse> {
  const body = received.body.kind === "bytes" ? await received.body.read(1000) : undefined;
  const { method, path, user } = received;
  const value = {
    method,
    path,
    query: received.query.toString(),
    type: received.header("content-type"),
    body: body && Buffer.from(body).toString(),
    user,
  };
  return { kind: "object", status: 200, headers: [], value };
}

function bytes(content: Uint8Array): ApiResponse {
  return {
    kind: "bytes",
    status: 200,
    headers: [["content-type", "text/plain"]],
    lengthBytes: content.length,
    chunks: [content],
  };
}

function frames(ended: () => void): FrameSource {
  return {
    start: (sink) => {
      sink.write(Buffer.from("first\n"));
      return { resume: () => {}, stop: ended };
    },
  };
}

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly anonymous?: boolean;
}

function optionsFor(server: HttpsServer, wanted: Call) {
  return {
    host: "127.0.0.1",
    port: server.port,
    ca: pki.authority.certificate,
    ...(wanted.anonymous ? {} : { key: client.key, cert: client.certificate }),
    path: wanted.path,
    method: wanted.method ?? "GET",
    headers: {
      ...(wanted.body !== undefined && { "content-type": "application/json" }),
      ...wanted.headers,
    },
    agent: false as const,
  };
}

async function call(server: HttpsServer, wanted: Call) {
  const outgoing = request(optionsFor(server, wanted));
  outgoing.end(wanted.body);
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of answer) body += String(chunk);
  return { status: answer.statusCode, body, encoding: answer.headers["content-encoding"] };
}

async function callHttp2(
  server: HttpsServer,
  method: string,
  path: string,
  body: string,
): Promise<unknown> {
  const session = connectHttp2(`https://127.0.0.1:${server.port}`, {
    ca: pki.authority.certificate,
    key: client.key,
    cert: client.certificate,
  });
  const stream = session.request({
    ":method": method,
    ":path": path,
    "content-type": "application/json",
  });
  stream.end(body);
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  session.close();
  return JSON.parse(text);
}
