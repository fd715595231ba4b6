import { deepEqual, equal, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Agent, createServer as createHttpsServer, request } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { silentLog } from "#base/log.ts";
import { createConnector } from "#apiserver/node/connect/connector.ts";
import { startHttpsServer } from "#apiserver/node/https-server.ts";
import type { HttpsServer } from "#apiserver/node/https-server.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import type { ConnectTarget } from "#apiserver/request.ts";

// A real server before a pod of which each test says what it answers.
const pki = createMemoryPki(Date.now());
const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
const serving = pki.certificate("apiserver", {
  subject: { commonName: "kube-apiserver" },
  use: "server",
  ...names,
});
const client = pki.certificate("jane", { subject: { commonName: "jane" }, use: "client" });
const prefix = "/api/v1/namespaces/n/pods/p:1080/proxy";
const page = `<html><a href="/rewriteme">test \u00e4</a></html>`;
const rewritten = `<html><a href="${prefix}/rewriteme">test \u00e4</a></html>`;
const html = { "content-type": "text/html; charset=utf-8" };

let answer: RequestListener = () => {};
const pod = createServer((asked, response) => answer(asked, response));
/** A node, or a server that extends the API. */
const other = createHttpsServer(
  { key: serving.key, cert: serving.certificate },
  (asked, response) => answer(asked, response),
);
const agent = new Agent();
let server: HttpsServer;

before(async () => {
  for (const one of [pod, other]) {
    one.listen(0, "127.0.0.1");
    await once(one, "listening");
  }
  server = await startHttpsServer({
    handle: async ({ path }) => ({ kind: "connect", headers: [], target: targetOf(path) }),
    key: serving.key,
    certificate: serving.certificate,
    clientAuthority: pki.authority.certificate,
    tokens: [],
    connector: createConnector({
      ...client,
      authority: () => [pki.authority.certificate],
      extensions: { ...client, agent },
      node: async () => ({
        status: {
          addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
          daemonEndpoints: { kubeletEndpoint: { Port: portOf(other) } },
        },
      }),
      endpoint: async () => ({ ip: "127.0.0.1", port: portOf(pod) }),
    }),
    host: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
});

after(async () => {
  await server[Symbol.asyncDispose]();
  agent.destroy();
  pod.close();
  other.close();
});

test("the links of a page lead through the proxy of a pod, a service, and over HTTP/2", async () => {
  answers(html, page);
  const service = "/api/v1/namespaces/n/services/http:s:web/proxy";
  const seen = [
    await get(`${prefix}/`),
    await get(`${prefix}/a/b?q=1`),
    await get(`${service}/`),
    await getHttp2(`${prefix}/`),
  ].map(({ body }) => body.toString());
  deepEqual(seen, [rewritten, rewritten, rewritten.replace(prefix, service), rewritten]);
});

test("a node's pages lead through the proxy, whatever name the client has for this server", async () => {
  answers(html, page);
  const node = "/api/v1/nodes/one/proxy";
  const { body } = await get(`${node}/logs/`, { headers: { host: "api.example:6443" } });
  equal(body.toString(), rewritten.replace(prefix, node));
});

test("a server that extends the API stands where clients see it: its pages and redirects stay", async () => {
  answers(html, page);
  const whole = await get("/apis/extension.example/v1/page");
  answers({ location: "/apis" }, "", 302);
  const redirect = await get("/apis/extension.example/v1/page");
  deepEqual([whole.body.toString(), redirect.headers.location], [page, "/apis"]);
});

test("a pod is told the path and the host that the client sees, and never whom it may not trust", async () => {
  let told: IncomingMessage["headers"] = {};
  answer = (asked, response) => {
    told = asked.headers;
    response.end();
  };
  const headers = { host: "api.example:6443", "x-forwarded-uri": "/lie", cookie: "a=b" };
  await get(`${prefix}/a'b/%3Cscript%3E/?q=1`, { headers });
  const { host, cookie, "x-forwarded-uri": uri, "x-forwarded-for": forwardedFor } = told;
  deepEqual(
    { host, cookie, uri, forwardedFor },
    {
      host: "api.example:6443",
      cookie: undefined,
      uri: `${prefix}/a%27b/%3Cscript%3E/`,
      forwardedFor: "127.0.0.1",
    },
  );
  await getHttp2(`${prefix}/`);
  equal(told.host, `127.0.0.1:${server.port}`);
});

test("redirects lead through the proxy, and their bodies stay", async () => {
  const here = `127.0.0.1:${portOf(pod)}`;
  const there = `127.0.0.1:${server.port}`;
  const locations: Readonly<Record<string, string>> = {
    "/login": `${prefix}/login`,
    [`http://${here}/a/?b#c`]: `${prefix}/a/?b#c`,
    [`https://${there}/a`]: `https://${there}${prefix}/a`,
    "http://example.com/a": "http://example.com/a",
    relative: "relative",
  };
  const seen = [];
  for (const location of Object.keys(locations)) {
    answers({ ...html, location }, page, 302);
    const { status, headers, body } = await get(`${prefix}/`);
    seen.push([status, headers.location, body.toString()]);
  }
  deepEqual(
    seen,
    Object.values(locations).map((location) => [302, location, page]),
  );
});

type Codec = (bytes: Buffer) => Buffer;

const codings: readonly (readonly [name: string, encode: Codec, decode: Codec])[] = [
  ["gzip", gzipSync, gunzipSync],
  ["deflate", deflateSync, inflateSync],
  ["deflate", deflateRawSync, inflateRawSync],
  ["br", brotliCompressSync, brotliDecompressSync],
  ["zstd", zstdCompressSync, zstdDecompressSync],
  ["identity", (bytes) => bytes, (bytes) => bytes],
];

test("a page comes back in the encoding that it was sent in", async () => {
  const seen = [];
  for (const [coding, encode, decode] of codings) {
    answers({ ...html, "content-encoding": coding }, encode(Buffer.from(page.repeat(5_000))));
    const { headers, body } = await get(`${prefix}/`);
    seen.push([headers["content-encoding"], decode(body).toString() === rewritten.repeat(5_000)]);
  }
  deepEqual(
    seen,
    codings.map(([coding]) => [coding, true]),
  );
});

test("what is no whole page in a known encoding passes as it is", async () => {
  const wide = Buffer.from(page, "utf16le");
  const cases: readonly (readonly [Record<string, string>, string | Buffer, number?])[] = [
    [{ "content-type": "text/plain" }, page],
    [{ "content-type": "application/xhtml+xml" }, page],
    [{}, page],
    [{ ...html, "content-encoding": "compress" }, page],
    [{ ...html, "content-range": "bytes 0-9/100" }, page, 206],
    [{ "content-type": `text/html; charset="UTF-16"` }, wide],
  ];
  for (const [headers, body, status = 200] of cases) {
    answers({ ...headers, "content-length": String(Buffer.byteLength(body)) }, body, status);
    const passed = await get(`${prefix}/`);
    deepEqual([passed.status, passed.body], [status, Buffer.from(body)]);
    equal(passed.headers["content-length"], String(Buffer.byteLength(body)));
  }
});

test("what says how long a page was, or who may read it elsewhere, does not pass", async () => {
  const headers = {
    ...html,
    "content-length": String(Buffer.byteLength(page)),
    "content-md5": "x",
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    etag: '"1"',
  };
  for (const method of ["GET", "HEAD"]) {
    answers(headers, page);
    const passed = await get(`${prefix}/`, { method });
    const kept = Object.keys(passed.headers).filter((name) => name in headers);
    deepEqual(kept.toSorted(), ["content-type", "etag"]);
    equal(passed.body.toString(), method === "HEAD" ? "" : rewritten);
  }
  answer = (_asked, response) => response.writeHead(304, { ...html, etag: '"1"' }).end();
  equal((await get(`${prefix}/`)).status, 304);
});

test("a page passes piece by piece, however it is encoded", async () => {
  for (const [coding, encode] of codings) {
    const sent = Promise.withResolvers<ServerResponse>();
    answer = (_asked, response) => {
      response.writeHead(200, { ...html, "content-encoding": coding });
      response.write(encode(Buffer.from(page)));
      sent.resolve(response);
    };
    const { answered, outgoing } = await open(`${prefix}/`);
    // The answer does not end before its first piece has come.
    await once(answered, "data");
    outgoing.destroy();
    (await sent.promise).destroy();
  }
});

test("a long page is read no faster than the client takes it", async () => {
  const block = Buffer.from(`${page}${"-".repeat(100_000)}`);
  const blocks = 600;
  let taken = 0;
  answer = (_asked, response) => {
    response.writeHead(200, html);
    const more = (): void => {
      while (taken < blocks) {
        taken++;
        if (!response.write(block)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  };
  const { answered } = await open(`${prefix}/`);
  let lengthBytes = 0;
  for await (const chunk of answered) {
    lengthBytes += (chunk as Buffer).length;
    if (lengthBytes < 2_000_000) for (let turn = 0; turn < 20; turn++) await nextTurn();
    ok(taken * block.length - lengthBytes < 40_000_000, "most of the page is under way");
  }
  equal(lengthBytes, blocks * (100_000 + Buffer.byteLength(rewritten)));
});

test("a page that breaks off, or is not encoded as it says, breaks off for the client too", async () => {
  const broken: RequestListener[] = [
    (_asked, response) => {
      response.writeHead(200, html);
      response.write(page, () => response.destroy());
    },
    (_asked, response) =>
      response.writeHead(200, { ...html, "content-encoding": "gzip" }).end("no gzip"),
    (_asked, response) => {
      response.writeHead(200, { ...html, "content-encoding": "deflate" });
      response.flushHeaders();
      response.destroy();
    },
  ];
  const ends = [];
  for (const one of broken) {
    answer = one;
    ends.push(
      await get(`${prefix}/`).then(
        ({ status }) => status,
        () => "broken",
      ),
    );
  }
  deepEqual(ends, ["broken", "broken", "broken"]);
  answers(html, page);
  equal((await get(`${prefix}/`)).body.toString(), rewritten);
});

function portOf(listening: Server): number {
  return (listening.address() as AddressInfo).port;
}

function targetOf(path: string): ConnectTarget {
  const [, to, rest = ""] = /\/(pod|service|node)s\/[^/]+\/proxy(.*)$/.exec(path) ?? [];
  if (to === undefined) {
    const trust = { authorities: pki.authority.certificate, serverName: "localhost" };
    const address = { host: "127.0.0.1", port: portOf(other) };
    return { kind: "extension", address, trust, path, headers: {} };
  }
  return {
    kind: "proxy",
    to: to as "pod" | "service" | "node",
    object: { metadata: { name: "p" }, status: { podIP: "127.0.0.1" } },
    scheme: undefined,
    port: String(portOf(pod)),
    path: rest,
    query: new URLSearchParams(),
  };
}

function answers(headers: Record<string, string>, body: string | Buffer, status = 200): void {
  answer = (_asked, response) => response.writeHead(status, headers).end(body);
}

interface Wanted {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function open(path: string, { method = "GET", headers = {} }: Wanted = {}) {
  const outgoing = request({
    host: "127.0.0.1",
    port: server.port,
    ca: pki.authority.certificate,
    servername: "localhost",
    path,
    method,
    headers,
    agent: false,
  });
  outgoing.end();
  const [answered] = (await once(outgoing, "response")) as [IncomingMessage];
  return { outgoing, answered };
}

async function get(path: string, wanted: Wanted = {}) {
  const { answered } = await open(path, wanted);
  const chunks: Buffer[] = [];
  for await (const chunk of answered) chunks.push(chunk as Buffer);
  return { status: answered.statusCode, headers: answered.headers, body: Buffer.concat(chunks) };
}

async function getHttp2(path: string): Promise<{ readonly body: Buffer }> {
  const session = connectHttp2(`https://127.0.0.1:${server.port}`, {
    ca: pki.authority.certificate,
  });
  const stream = session.request({ ":path": path });
  stream.end();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  session.close();
  return { body: Buffer.concat(chunks) };
}
