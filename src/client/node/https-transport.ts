import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { statusErrorOf } from "#client/api-client.ts";
import { linesOf } from "#client/node/lines.ts";
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatchEvent,
} from "#client/transport.ts";

export interface HttpsTransportOptions {
  /** `https://host:port`, or `http://` for a server behind a local proxy. */
  readonly server: string;
  /** PEM. Absent: the platform's authorities. */
  readonly ca?: string | Uint8Array;
  readonly clientCert?: string | Uint8Array;
  readonly clientKey?: string | Uint8Array;
  /** A bearer token, or what gives the current one (tokens expire). */
  readonly token?: string | (() => string | Promise<string>);
  /** The name the server's certificate must carry, when it is not the URL's host. */
  readonly serverName?: string;
}

export interface HttpsTransport extends Transport, Disposable {}

/** Speaks to an API server over kept-alive HTTP/1.1 connections, one a watch. Disposing closes all of them. */
export function createHttpsTransport(options: HttpsTransportOptions): HttpsTransport {
  const base = new URL(options.server);
  const agent = createAgent(base, options);
  const send = async (request: TransportRequest, encoding: Encoding): Promise<IncomingMessage> => {
    const headers = await headersOf(request, options, encoding);
    return exchange({ base, agent, request, headers, encoding });
  };
  return {
    request: async (request) => decode(await send(request, "whole")),
    watch: async (request) => {
      const response = await send(request, "stream");
      if (response.statusCode !== 200) {
        const { status, value } = await decode(response);
        throw statusErrorOf(status, value);
      }
      return watchEvents(response, request.signal);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

type Encoding = "whole" | "stream";

/** An answer larger than this is refused: lists are paged, so none should come near. */
const answerBytesMax = 256 * 1024 * 1024;
const connectionsMax = 256;

function createAgent(base: URL, options: HttpsTransportOptions): HttpAgent | HttpsAgent {
  const shared = { keepAlive: true, maxSockets: connectionsMax, noDelay: true };
  if (base.protocol === "http:") return new HttpAgent(shared);
  return new HttpsAgent({
    ...shared,
    ...(options.ca && { ca: bufferOf(options.ca) }),
    ...(options.clientCert && { cert: bufferOf(options.clientCert) }),
    ...(options.clientKey && { key: bufferOf(options.clientKey) }),
    ...(options.serverName && { servername: options.serverName }),
  });
}

function bufferOf(pem: string | Uint8Array): string | Buffer {
  return typeof pem === "string" ? pem : Buffer.from(pem);
}

async function headersOf(
  request: TransportRequest,
  options: HttpsTransportOptions,
  encoding: Encoding,
): Promise<Record<string, string>> {
  const token = typeof options.token === "function" ? await options.token() : options.token;
  return {
    accept: encoding === "stream" ? "application/json;stream=watch" : "application/json",
    "user-agent": "kogge",
    ...(request.body !== undefined && {
      "content-type": request.contentType ?? "application/json",
    }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
}

interface Exchange {
  readonly base: URL;
  readonly agent: HttpAgent | HttpsAgent;
  readonly request: TransportRequest;
  readonly headers: Record<string, string>;
  readonly encoding: Encoding;
}

/** A request whose connection carries nothing for so long has failed: the network may be cut without a word. */
const silenceMaxMs = 30_000;
/** Watches may be silent for long; the kernel asks the other side after this time, and ten times a second apart. */
const probeAfterMs = 15_000;

function exchange({ base, agent, request, headers, encoding }: Exchange): Promise<IncomingMessage> {
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const open = base.protocol === "http:" ? httpRequest : httpsRequest;
  return new Promise((resolve, reject) => {
    const outgoing = open(urlOf(base, request), {
      agent,
      method: request.method,
      headers: body === undefined ? headers : { ...headers, "content-length": byteLength(body) },
      ...(request.signal && { signal: request.signal }),
    });
    outgoing.on("socket", (socket) => socket.setKeepAlive(true, probeAfterMs));
    if (encoding === "whole") {
      outgoing.setTimeout(silenceMaxMs, () => outgoing.destroy(new Error("it does not answer")));
    }
    outgoing.on("response", resolve);
    outgoing.on("error", (cause) =>
      reject(new Error(`Cannot reach the API server at ${base.origin}`, { cause })),
    );
    outgoing.end(body);
  });
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function urlOf(base: URL, request: TransportRequest): URL {
  const url = new URL(base);
  url.pathname = base.pathname.replace(/\/$/, "") + request.path;
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

async function decode(response: IncomingMessage): Promise<TransportResponse> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    lengthBytes += chunk.length;
    if (lengthBytes > answerBytesMax) {
      response.destroy();
      throw new Error(`Cannot read the answer: it exceeds ${answerBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const isJson = response.headers["content-type"]?.includes("json") ?? false;
  return {
    status: response.statusCode ?? 0,
    value: isJson && text !== "" ? parseFrozen(text) : text,
  };
}

async function* watchEvents(
  response: IncomingMessage,
  signal: AbortSignal | undefined,
): AsyncGenerator<TransportWatchEvent> {
  try {
    for await (const line of linesOf(response)) yield parseFrozen(line) as TransportWatchEvent;
  } catch (error) {
    if (!signal?.aborted) throw new Error("Cannot go on watching", { cause: error });
  } finally {
    response.destroy();
  }
}

function parseFrozen(text: string): unknown {
  const value: unknown = JSON.parse(text);
  freeze(value);
  return value;
}

function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}
