import { deepEqual, equal, match } from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { after, test } from "node:test";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { createHandlers, type Handler, type HandlerResult } from "#agent/probes/handlers.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());

const runtime = {
  async execSync(_id: string, [word = ""]: readonly string[]) {
    if (word === "slow") throw new Error('command "slow" timed out');
    return { exitCode: word === "true" ? 0 : 1, output: `${word} said` };
  },
} as unknown as ContainerRuntime;
const handle = createHandlers(runtime);

function probe(handler: Handler, timeoutMs = 2000): Promise<HandlerResult> {
  const container = { name: "c", ports: [{ name: "web", containerPort: 1 }] };
  return handle(handler, {
    container,
    containerId: "1",
    podIp: "127.0.0.1",
    timeoutMs,
    userAgent: "kube-probe/1.36",
  });
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("an HTTP probe passes with 200 to 399 and tells of others, of silence and of closed doors", async () => {
  const seen: IncomingMessage[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(request);
    const code = Number(request.url?.slice(1));
    if (code > 0) response.writeHead(code).end("x".repeat(100_000));
  });
  const port = await listening(server);
  const path = (code: number) => probe({ httpGet: { port, path: `/${code}` } });
  deepEqual(await path(200), { ok: true, output: "" });
  deepEqual(await path(302), { ok: true, output: "" });
  deepEqual(await path(503), { ok: false, output: "HTTP probe failed with statuscode: 503" });
  equal(seen[0]?.headers["user-agent"], "kube-probe/1.36");
  const silent = await probe({ httpGet: { port, path: "/silent" } }, 50);
  match(silent.output, /^Get "http:\/\/127\.0\.0\.1:\d+\/silent": context deadline exceeded/);
  server.closeAllConnections();
  const closed = await probe({ httpGet: { port: "web", path: "a" } });
  equal(
    closed.output,
    'Get "http://127.0.0.1:1/a": dial tcp 127.0.0.1:1: connect: connection refused',
  );
  const unknown = await probe({ httpGet: { port: "nameless" } });
  deepEqual(unknown, { ok: false, output: "couldn't find port: nameless" });
});

test("an HTTPS probe asks whoever has any certificate", async () => {
  const { key, certificate: cert } = createMemoryPki(Date.now()).certificate("other", {
    subject: { commonName: "somebody else" },
    use: "server",
  });
  const port = await listening(createHttpsServer({ key, cert }, (_, response) => response.end()));
  const httpHeaders = [{ name: "Host", value: "web.example" }];
  deepEqual(await probe({ httpGet: { port, scheme: "HTTPS", httpHeaders } }), {
    ok: true,
    output: "",
  });
});

test("a TCP probe opens the port and says no word", async () => {
  const port = await listening(createTcpServer((socket) => socket.resume().on("error", () => {})));
  deepEqual(await probe({ tcpSocket: { port } }), { ok: true, output: "" });
  const refused = await probe({ tcpSocket: { port: 1 } });
  deepEqual(refused, {
    ok: false,
    output: "dial tcp 127.0.0.1:1: connect: connection refused",
  });
});

test("a gRPC probe asks the health service by its name", async () => {
  const bytes = (value: Buffer): Buffer => value;
  const method = {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const server = new GrpcServer();
  server.addService(
    { Check: method },
    {
      Check: (call: { request: Buffer }, answer: (error: null, value: Buffer) => void) => {
        const service = call.request.subarray(2).toString();
        answer(null, Buffer.from([0x08, service === "good" ? 1 : 2]));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  stack.defer(() => server.forceShutdown());
  deepEqual(await probe({ grpc: { port, service: "good" } }), { ok: true, output: "" });
  deepEqual(await probe({ grpc: { port, service: "bad" } }), {
    ok: false,
    output: 'service unhealthy (responded with "NOT_SERVING")',
  });
  equal((await probe({ grpc: { port: 1 } })).ok, false);
});

test("an exec probe passes with the exit code 0", async () => {
  deepEqual(await probe({ exec: { command: ["true"] } }), { ok: true, output: "true said" });
  deepEqual(await probe({ exec: { command: ["no"] } }), { ok: false, output: "no said" });
  deepEqual(await probe({ exec: { command: ["slow"] } }), {
    ok: false,
    output: 'command "slow" timed out',
  });
});
