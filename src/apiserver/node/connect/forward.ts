import { request as httpRequest } from "node:http";
import type {
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { Agent } from "node:https";
import { Socket, isIP } from "node:net";
import type { Duplex } from "node:stream";
import type { checkServerIdentity } from "node:tls";
import { pipeline } from "node:stream/promises";
import { StatusError, badRequest } from "#api/status.ts";
import { isUserHeader } from "#apiserver/aggregation/remote-user.ts";
import { behindMount } from "#apiserver/node/connect/page.ts";
import { plainPath } from "#apiserver/node/connect/page-links.ts";
import type { Mount } from "#apiserver/node/connect/page-links.ts";
import { flushHeaders } from "#apiserver/node/http-exchange.ts";
import type { Exchange } from "#apiserver/node/http-exchange.ts";
import type { Upgrade } from "#apiserver/node/https-server.ts";

/** Where bytes are passed on to. */
export interface Destination {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  /** Clients see it under another path than it has there: its pages' links and its redirects have to lead through here. */
  readonly mount?: Mount;
  /** Sent instead of the client's own of the same names. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Keeps connections; absent: one for each request. */
  readonly agent?: Agent;
  /** How to speak TLS there; absent: the other side is not checked, as upstream's proxies do for pods. */
  readonly tls?: {
    readonly key: string;
    readonly cert: string;
    readonly ca?: string[];
    readonly checkServerIdentity?: typeof checkServerIdentity;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
}

const connectTimeoutMs = 30_000;

/** Sends a plain request on and streams the answer back. */
export async function forwardRequest(
  exchange: Exchange,
  to: Destination,
  signal: AbortSignal,
): Promise<void> {
  const { request, response } = exchange;
  const method = request.method ?? "GET";
  const outgoing = open(to, method, {
    ...plainHeaders(request.headers),
    ...forwardedFor(request),
    ...(to.mount && asSeenByClient(request, to.mount)),
  });
  signal.addEventListener("abort", () => outgoing.destroy(), { once: true });
  const answered = answerTo(outgoing, to);
  if (method === "GET" || method === "HEAD") outgoing.end();
  else pipeline(request, outgoing).catch(() => outgoing.destroy());
  const answer = await answered;
  const { headers, stages } = to.mount
    ? await behindMount(answer, { mount: to.mount, method })
    : { headers: answer.headers, stages: [] };
  response.statusCode = answer.statusCode ?? 502;
  for (const [name, value] of Object.entries(plainHeaders(headers))) {
    if (value !== undefined && !crossOriginHeaders.has(name)) response.setHeader(name, value);
  }
  flushHeaders(response);
  await pipeline([answer, ...stages, response as NodeJS.WritableStream]);
}

/** Who may read what this server answers is not for others to say. */
const crossOriginHeaders = new Set([
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
]);

/** Whom the answer is for, as proxies tell each other. */
function forwardedFor(request: Exchange["request"]): IncomingHttpHeaders {
  const address = request.socket.remoteAddress;
  if (address === undefined) return {};
  const before = request.headers["x-forwarded-for"];
  const known = before === undefined ? [] : [before].flat();
  return { "x-forwarded-for": [...known, address].join(", ") };
}

/** Where the client believes to be: from it a server can tell what it has to put before its own paths. */
function asSeenByClient({ url = "/" }: Exchange["request"], mount: Mount): IncomingHttpHeaders {
  const [path = ""] = url.split("?", 1);
  const uri = { "x-forwarded-uri": plainPath(path) };
  return mount.clientHost === undefined ? uri : { ...uri, host: mount.clientHost };
}

/** Passes an upgrade on and, once both sides agreed, every byte in both directions. */
export async function forwardUpgrade(upgrade: Upgrade, to: Destination): Promise<void> {
  const { request } = upgrade;
  const headers = { ...request.headers, ...forwardedFor(request) };
  const outgoing = open(to, request.method ?? "GET", headers);
  upgrade.socket.once("close", () => outgoing.destroy());
  outgoing.end();
  const outcome = await upgradeOf(outgoing, to);
  if (outcome.kind === "refused") return passRefusal(upgrade.socket, outcome.answer);
  upgrade.socket.write(headOf(101, outcome.answer));
  join(upgrade, outcome);
}

function open(to: Destination, method: string, headers: IncomingHttpHeaders): ClientRequest {
  const options: RequestOptions = {
    host: to.host,
    port: to.port,
    path: to.path,
    method,
    headers: { ...withoutCredentials(headers), ...to.headers },
    agent: to.agent ?? false,
    timeout: connectTimeoutMs,
  };
  if (to.scheme === "http") return httpRequest(options);
  // A node's certificate names its address; pods and services are not checked, as upstream's proxies do not.
  // The `Host` may be the client's word for this server: it is not whom the certificate has to name.
  const servername = isIP(to.host) ? "" : to.host;
  const checked = to.tls !== undefined;
  return httpsRequest({ rejectUnauthorized: checked, servername, ...options, ...to.tls });
}

/** The user's own token or cookie never travels on, nor does a header that would name somebody else. */
function withoutCredentials(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { authorization: _authorization, cookie: _cookie, ...rest } = headers;
  return Object.fromEntries(
    Object.entries(rest).filter(([name]) => !name.startsWith(":") && !isUserHeader(name)),
  );
}

/** Headers that belong to one connection and are not passed on. */
const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "http2-settings",
]);

function plainHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !connectionHeaders.has(name) && !name.startsWith(":"),
    ),
  );
}

function answerTo(outgoing: ClientRequest, to: Destination): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", (answer) => {
      outgoing.setTimeout(0);
      resolve(answer);
    });
    failWith(outgoing, to, reject);
  });
}

type Outcome =
  | {
      readonly kind: "upgraded";
      readonly answer: IncomingMessage;
      readonly socket: Socket;
      readonly head: Buffer;
    }
  | { readonly kind: "refused"; readonly answer: IncomingMessage };

function upgradeOf(outgoing: ClientRequest, to: Destination): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    outgoing.once("upgrade", (answer, socket, head) => {
      socket.setTimeout(0);
      resolve({ kind: "upgraded", answer, socket: socket as Socket, head });
    });
    outgoing.once("response", (answer) => resolve({ kind: "refused", answer }));
    failWith(outgoing, to, reject);
  });
}

function failWith(outgoing: ClientRequest, to: Destination, reject: (error: Error) => void): void {
  outgoing.once("timeout", () => outgoing.destroy(new Error("timed out")));
  outgoing.on("error", (cause) => {
    const message = `error trying to reach ${to.scheme}://${to.host}:${to.port}: ${cause.message}`;
    reject(new StatusError({ code: 503, reason: "ServiceUnavailable", message }));
  });
}

/** Whichever end goes first, the other is closed: the client's takes the answer's request with it. */
async function passRefusal(socket: Duplex, answer: IncomingMessage): Promise<void> {
  if (answer.statusCode === undefined) throw badRequest("the other side did not answer");
  socket.write(headOf(answer.statusCode, answer));
  answer.once("error", () => socket.destroy());
  answer.pipe(socket);
  if (!answer.closed) await new Promise((resolve) => answer.once("close", resolve));
}

function headOf(status: number, answer: IncomingMessage): string {
  const lines: string[] = [];
  for (let index = 0; index < answer.rawHeaders.length; index += 2) {
    const name = answer.rawHeaders[index] ?? "";
    const skipped = status !== 101 && /^(transfer-encoding|connection|keep-alive)$/i.test(name);
    if (!skipped) lines.push(`${name}: ${answer.rawHeaders[index + 1]}\r\n`);
  }
  const closing = status === 101 ? "" : "connection: close\r\n";
  return `HTTP/1.1 ${status} ${answer.statusMessage}\r\n${lines.join("")}${closing}\r\n`;
}

function join(upgrade: Upgrade, other: { readonly socket: Socket; readonly head: Buffer }): void {
  // Streams mix small frames with large ones: waiting to fill packets would cost 40 ms a frame.
  if (upgrade.socket instanceof Socket) upgrade.socket.setNoDelay(true);
  other.socket.setNoDelay(true);
  if (other.head.length > 0) upgrade.socket.write(other.head);
  if (upgrade.head.length > 0) other.socket.write(upgrade.head);
  const end = (): void => {
    upgrade.socket.destroy();
    other.socket.destroy();
  };
  for (const socket of [upgrade.socket, other.socket]) {
    socket.on("error", end);
    socket.once("close", end);
  }
  upgrade.socket.pipe(other.socket);
  other.socket.pipe(upgrade.socket);
}
