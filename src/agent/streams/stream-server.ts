import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { TLSSocket } from "node:tls";
import { badRequest, StatusError, unauthorized } from "#api/status.ts";
import { systemClock } from "#base/clock.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { serveLogs } from "#agent/streams/container-logs.ts";
import { answerFailure, refuseUpgrade, statusErrorOf } from "#agent/streams/http-answer.ts";
import {
  nodeHeader,
  type Page,
  pageNotFound,
  type PageRequest,
  type Peer,
} from "#agent/streams/page.ts";
import type { StreamTargets } from "#agent/streams/process-streams.ts";
import { parseStreamRequest } from "#agent/streams/stream-request.ts";
import { serveUpgrade } from "#agent/streams/stream-upgrade.ts";

export interface StreamServerOptions {
  readonly targets: StreamTargets;
  /** PEM texts. Clients must show a certificate signed by `clientCa`. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Asked for every request; default: whoever has a valid certificate may do everything. */
  readonly authorize?: (peer: Peer, request: { method: string; path: string }) => boolean;
  /** Answers to GET of paths like `/pods` or `/metrics`; throws a `StatusError`. Default: only `/healthz`. */
  readonly pages?: (request: PageRequest) => Promise<Page>;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly log: Log;
  readonly clock?: Clock;
  /** After so long without a byte in either direction a stream is cut; default four hours, as upstream. */
  readonly idleTimeoutMs?: number;
  /** How many streams may be open at once; default 1,000. */
  readonly sessionsMax?: number;
}

export interface StreamServer extends AsyncDisposable {
  readonly port: number;
  /** New connections get this certificate; open ones stay. */
  replaceCertificate(tls: { readonly cert: string; readonly key: string }): void;
}

/** The node's HTTPS endpoint for exec, attach, port-forward and logs, on the kubelet's paths. */
export async function createStreamServer(options: StreamServerOptions): Promise<StreamServer> {
  const { tls } = options;
  const sockets = new Set<Socket>();
  const server = createServer({
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    requestCert: true,
    // A client without a certificate is told so in HTTP, by `admit`.
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  const handle = createHandlers(options);
  server.on("request", (request, response) => void handle.request(request, response));
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void handle.upgrade({ request, socket, head });
  });
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    replaceCertificate: (next) => server.setSecureContext({ ...next, ca: tls.clientCa }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const idleTimeoutMsDefault = 4 * 3_600_000;
const sessionsMaxDefault = 1_000;

interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): Promise<void>;
  upgrade(connection: { request: IncomingMessage; socket: Socket; head: Buffer }): Promise<void>;
}

function createHandlers(options: StreamServerOptions): Handlers {
  const { targets, log, clock = systemClock } = options;
  const { idleTimeoutMs = idleTimeoutMsDefault, sessionsMax = sessionsMaxDefault } = options;
  const upgradeParts = { targets, clock, log, idleTimeoutMs };
  let sessions = 0;

  /** Runs one stream while it counts against the limit. */
  const counted = async (serve: () => Promise<void>): Promise<void> => {
    if (sessions >= sessionsMax) throw tooManySessions(sessionsMax);
    sessions++;
    try {
      await serve();
    } finally {
      sessions--;
    }
  };

  return {
    async request(request, response) {
      try {
        admit(request, options);
        const asked = parseStreamRequest(urlOf(request), clock.now());
        if (asked.kind === "page") return await answerPage(request, response, options);
        if (asked.kind !== "logs") throw badRequest("Upgrade request required");
        if (request.method !== "GET") throw methodNotAllowed();
        await counted(() => serveLogs(response, asked, targets));
      } catch (error) {
        logFailure(log, request, error);
        answerFailure(response, error);
      }
    },
    async upgrade(connection) {
      const { request, socket } = connection;
      socket.on("error", () => {});
      const writtenBytes = socket.bytesWritten;
      try {
        admit(request, options);
        const asked = parseStreamRequest(urlOf(request), clock.now());
        await counted(() => serveUpgrade(connection, asked, upgradeParts));
      } catch (error) {
        logFailure(log, request, error);
        if (socket.writable && socket.bytesWritten === writtenBytes) refuseUpgrade(socket, error);
        else socket.destroy();
      }
    },
  };
}

/** Throws unless the client has a certificate of ours and may do what it asks. */
function admit(request: IncomingMessage, { authorize }: StreamServerOptions): void {
  const peer = peerOf(request.socket);
  if (peer === undefined) throw unauthorized();
  const { method = "GET", url: path = "/" } = request;
  if (authorize === undefined || authorize(peer, { method, path })) return;
  throw new StatusError({
    code: 403,
    reason: "Forbidden",
    message: `Forbidden (user=${peer.name}, verb=${method.toLowerCase()}, resource=nodes, subresource=proxy)`,
  });
}

function peerOf(socket: Socket): Peer | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const groups = subject.O;
  return {
    name: [subject.CN].flat().join(","),
    groups: groups === undefined ? [] : [groups].flat(),
  };
}

async function answerPage(
  request: IncomingMessage,
  response: ServerResponse,
  { pages = onlyHealth }: StreamServerOptions,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
  const { pathname: path, searchParams: query } = urlOf(request);
  const node = request.headers[nodeHeader];
  const peer = peerOf(request.socket);
  const asked = { path, query, ...(typeof node === "string" && { node }), ...(peer && { peer }) };
  const { status = 200, contentType, headers, body } = await pages(asked);
  response.writeHead(status, { ...headers, "content-type": contentType });
  if (typeof body === "string") response.end(body);
  else if (request.method === "HEAD") {
    body.destroy();
    response.end();
  } else await pipeline(body, response).catch(() => response.destroy());
}

async function onlyHealth({ path }: PageRequest): Promise<Page> {
  if (path === "/healthz") return { contentType: "text/plain; charset=utf-8", body: "ok" };
  throw pageNotFound();
}

function methodNotAllowed(): StatusError {
  const message = "Method Not Allowed";
  return new StatusError({ code: 405, reason: "MethodNotAllowed", message });
}

function tooManySessions(sessionsMax: number): StatusError {
  return new StatusError({
    code: 429,
    reason: "TooManyRequests",
    message: `Cannot open another stream on this node: ${sessionsMax} are open`,
  });
}

function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? "/", "https://node");
  if (url === null) throw badRequest("Cannot read the request's URL");
  return url;
}

/** A client's mistakes are its own affair; what failed here is worth a line. */
function logFailure(log: Log, request: IncomingMessage, error: unknown): void {
  const path = request.url?.split("?", 1)[0];
  const level = statusErrorOf(error).status.code >= 500 ? "warn" : "debug";
  log[level]("stream request failed", { path, error });
}
