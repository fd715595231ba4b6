import { once } from "node:events";
import { createSecureServer } from "node:http2";
import type { Http2ServerRequest, Http2Session } from "node:http2";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { StatusError, badRequest, internalError, unauthorized } from "#api/status.ts";
import type { Log } from "#base/log.ts";
import { attemptedMethods, authenticate } from "#apiserver/node/authenticate.ts";
import type { Credentials, TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import { headerOf, readRequest, writeResponse } from "#apiserver/node/http-exchange.ts";
import type { Exchange } from "#apiserver/node/http-exchange.ts";
import type { Connector } from "#apiserver/node/connect/connector.ts";
import { anonymous } from "#apiserver/request.ts";
import { isWebSocketRequest, serveWatchWebSocket } from "#apiserver/node/watch-web-socket.ts";
import type { ApiRequest, ApiResponse, Headers, UserInfo } from "#apiserver/request.ts";

export interface HttpsServerParts {
  readonly handle: (request: ApiRequest) => Promise<ApiResponse>;
  /** Answers who showed something that is not valid, in one of the ways that `attempted` names. */
  readonly refuseStranger?: (
    request: ApiRequest,
    attempted: readonly string[],
  ) => Promise<ApiResponse>;
  readonly key: string;
  readonly certificate: string;
  /** Clients that show a certificate of this authority are who it says. */
  readonly clientAuthority: string;
  readonly tokens: readonly TokenAuthenticator[];
  /** Whether those who show nothing may ask for a path, as `system:anonymous`; absent: for every path. */
  readonly allowsAnonymous?: (path: string) => boolean;
  /** Carries out `exec`, `log`, `proxy` and the like. */
  readonly connector: Connector;
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly log: Log;
}

export interface HttpsServer extends AsyncDisposable {
  readonly port: number;
}

const headerLimitBytes = 256 * 1024;
/** Upstream's default for HTTP/2 is 100 to 250; one client-go process shares one connection for all its watches. */
const streamsPerConnectionMax = 1000;

/** The API on a socket: TLS, HTTP/1.1 and HTTP/2 on one port, upgrades for streams. */
export async function startHttpsServer(parts: HttpsServerParts): Promise<HttpsServer> {
  const server = createSecureServer({
    key: parts.key,
    cert: parts.certificate,
    ca: parts.clientAuthority,
    requestCert: true,
    rejectUnauthorized: false,
    allowHTTP1: true,
    maxHeaderSize: headerLimitBytes,
    keepAliveTimeout: 180_000,
    settings: { maxConcurrentStreams: streamsPerConnectionMax },
    // A TLS 1.3 session ticket costs two more writes a connection and clients rarely come back with one.
    sessionTimeout: 300,
  } as Parameters<typeof createSecureServer>[0]);
  const connections = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  server.on("secureConnection", (socket: Socket) => {
    // A watch's event is small and follows another write: held back, it would come 40 ms later.
    socket.setNoDelay(true);
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("session", (session: Http2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("request", (request, response) => {
    void answerRequest(parts, { request, response } as Exchange);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void answerUpgrade(parts, { request, socket, head });
  });
  server.on("tlsClientError", (error: Error) => parts.log.debug("TLS handshake failed", { error }));
  server.on("sessionError", (error: Error) => parts.log.debug("HTTP/2 session failed", { error }));
  server.listen(parts.port, parts.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

async function answerRequest(parts: HttpsServerParts, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const gone = new Departure();
  response.once("close", () => {
    if (!response.writableFinished) gone.happen();
  });
  response.on("error", () => gone.happen());
  try {
    // What is known at once is not waited for: every wait costs, and most requests need none here.
    const telling = userOf(parts, request);
    const user = telling instanceof Promise ? await telling : telling;
    const asked = readRequest(request, user ?? anonymous, gone);
    const answer = await (user === undefined ? refuse(parts, request, asked) : parts.handle(asked));
    if (answer.kind === "connect") {
      response.once("close", () => answer.ended?.());
      return await parts.connector.request(exchange, answer.target, gone.signal);
    }
    if (answer.kind === "events")
      throw new Error("an answer for the same process went to the edge");
    await writeResponse(exchange, answer);
  } catch (error) {
    if (gone.happened) return;
    await writeStatus(exchange, refusalOf(error, parts.log)).catch(() => response.destroy());
  } finally {
    discardRest(request);
  }
}

/** Whoever cannot be told is refused by the server too, which keeps a record of it. */
async function refuse(
  parts: HttpsServerParts,
  request: Exchange["request"],
  asked: ApiRequest,
): Promise<ApiResponse> {
  if (parts.refuseStranger === undefined) throw unauthorized();
  return parts.refuseStranger(asked, attemptedMethods(credentialsOf(request), asked.query));
}

/** That the client went away before its answer was written. Few requests ask, so the signal is made for those. */
class Departure {
  happened = false;
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.happened) this.#controller.abort();
    return this.#controller.signal;
  }

  happen(): void {
    this.happened = true;
    this.#controller?.abort();
  }
}

/** An upgrade's request with the raw connection and what was read past the request's head. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

async function answerUpgrade(parts: HttpsServerParts, upgrade: Upgrade): Promise<void> {
  const gone = new AbortController();
  upgrade.socket.once("close", () => gone.abort());
  upgrade.socket.on("error", () => gone.abort());
  try {
    const user = await userOf(parts, upgrade.request);
    const asked = readRequest(upgrade.request, user ?? anonymous, gone);
    const answer = await (user === undefined
      ? refuse(parts, upgrade.request, asked)
      : parts.handle(asked));
    if (answer.kind === "connect") {
      upgrade.socket.once("close", () => answer.ended?.());
      return await parts.connector.upgrade(upgrade, answer.target);
    }
    if (answer.kind === "stream" && isWebSocketRequest(upgrade.request)) {
      return await serveWatchWebSocket(upgrade, answer);
    }
    await refuseUpgrade(upgrade, answer);
  } catch (error) {
    writePlainStatus(upgrade.socket, refusalOf(error, parts.log));
  }
}

/** A request that asked for an upgrade where there is none to have: it gets its plain answer. */
async function refuseUpgrade(upgrade: Upgrade, answer: ApiResponse): Promise<void> {
  if (answer.kind === "bytes") {
    const head = [...answer.headers, ["content-length", String(answer.lengthBytes)]];
    writeRaw(upgrade.socket, answer.status, head as [string, string][]);
    for (const chunk of answer.chunks) upgrade.socket.write(chunk);
    upgrade.socket.end();
    return;
  }
  if (answer.kind === "object") {
    return writeJson(upgrade.socket, answer.status, answer);
  }
  throw badRequest("this request cannot be upgraded");
}

function userOf(
  parts: HttpsServerParts,
  request: Exchange["request"],
): Promise<UserInfo | undefined> | UserInfo | undefined {
  const user = authenticate(credentialsOf(request), parts.tokens);
  // Whoever shows a token is not anonymous.
  if (user instanceof Promise) return user;
  if (user !== anonymous || parts.allowsAnonymous === undefined) return user;
  const [path = ""] = (request.url ?? "").split("?");
  return parts.allowsAnonymous(path) ? user : undefined;
}

function credentialsOf(request: Exchange["request"]): Credentials {
  const socket = "stream" in request ? request.stream.session?.socket : request.socket;
  const authorization = headerOf(request, "authorization") ?? protocolToken(request);
  return { socket: socket as TLSSocket, authorization };
}

/** Browsers cannot set headers on a WebSocket: upstream takes the token from a subprotocol. */
function protocolToken(request: IncomingMessage | Http2ServerRequest): string | undefined {
  const protocols = headerOf(request, "sec-websocket-protocol") ?? "";
  const match = /base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)/.exec(protocols);
  return match?.[1] && `Bearer ${Buffer.from(match[1], "base64url").toString()}`;
}

function refusalOf(error: unknown, log: Log): StatusError {
  if (error instanceof StatusError) return error;
  log.error("request failed", { error });
  return internalError(error instanceof Error ? error.message : String(error));
}

async function writeStatus(exchange: Exchange, refusal: StatusError): Promise<void> {
  if (exchange.response.headersSent) return void exchange.response.destroy();
  await writeResponse(exchange, {
    kind: "object",
    status: refusal.status.code,
    headers: [["content-type", "application/json"]],
    value: refusal.status,
  });
}

function writePlainStatus(socket: Duplex, refusal: StatusError): void {
  writeJson(socket, refusal.status.code, { headers: [], value: refusal.status });
}

function writeJson(
  socket: Duplex,
  status: number,
  { headers, value }: { readonly headers: Headers; readonly value: unknown },
): void {
  const body = JSON.stringify(value);
  writeRaw(socket, status, [
    ["content-type", "application/json"],
    ...headers.filter(([name]) => name !== "content-type"),
    ["content-length", String(Buffer.byteLength(body))],
  ]);
  socket.end(body);
}

function writeRaw(
  socket: Duplex,
  status: number,
  headers: readonly (readonly [string, string])[],
): void {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(
    `HTTP/1.1 ${status} ${status < 400 ? "OK" : "Refused"}\r\n${lines}connection: close\r\n\r\n`,
  );
}

/** A body nobody read would block the connection's next request; a long one is not worth reading. */
function discardRest(request: Exchange["request"]): void {
  if (request.readableEnded || request.destroyed) return;
  request.resume();
}
