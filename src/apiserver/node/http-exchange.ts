import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { BlockPool, inBlocks } from "#apiserver/node/block-pool.ts";
import { connectFrames } from "#apiserver/node/frame-sink.ts";
import { StallGuard } from "#apiserver/node/stall-guard.ts";
import { StatusError } from "#api/status.ts";
import type {
  ApiRequest,
  ApiResponse,
  BytesResponse,
  FrameSource,
  Headers,
  RequestBody,
  UserInfo,
} from "#apiserver/request.ts";

/** A request and its answer as Node's HTTP/1.1 and HTTP/2 servers hand them over alike. */
export interface Exchange {
  readonly request: IncomingMessage | Http2ServerRequest;
  readonly response: ServerResponse | Http2ServerResponse;
}

/** The request as the pipeline reads it. The signal of `gone` is aborted when the client goes away. */
export function readRequest(
  request: Exchange["request"],
  user: UserInfo,
  gone: { readonly signal: AbortSignal },
): ApiRequest {
  const target = request.url ?? "/";
  const question = target.indexOf("?");
  return {
    method: request.method ?? "GET",
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? noQuery : new URLSearchParams(target.slice(question + 1)),
    header: (name) => headerOf(request, name),
    headerNames: () => Object.keys(request.headers),
    get remoteAddress() {
      return request.socket.remoteAddress;
    },
    body: bodyOf(request),
    user,
    get signal() {
      return gone.signal;
    },
    answer: "bytes",
  };
}

/** Most requests for one object have none; nobody changes a request's query. */
const noQuery = new URLSearchParams();

export function headerOf(request: Exchange["request"], name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}

function bodyOf(request: Exchange["request"]): RequestBody {
  const method = request.method;
  if (method === "GET" || method === "HEAD") return { kind: "none" };
  if (request.headers["content-length"] === "0") return { kind: "none" };
  return { kind: "bytes", read: (limitBytes) => readBody(request, limitBytes) };
}

async function readBody(
  request: Exchange["request"],
  limitBytes: number,
): Promise<Uint8Array | undefined> {
  if (Number(headerOf(request, "content-length") ?? 0) > limitBytes) return undefined;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooSlow()), bodyTimeoutMs);
  try {
    return await Promise.race([collect(request, limitBytes), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** As long as upstream lets a request take. */
const bodyTimeoutMs = 60_000;

function tooSlow(): StatusError {
  return new StatusError({
    code: 504,
    reason: "Timeout",
    message: "Timeout: request did not complete within the allotted timeout",
    details: {},
  });
}

async function collect(
  request: Exchange["request"],
  limitBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    lengthBytes += bytes.length;
    if (lengthBytes > limitBytes) return undefined;
    chunks.push(bytes);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

/** Answers this long are compressed for clients that take gzip, as upstream's are. */
const compressFromBytes = 128 * 1024;
const compress = promisify(gzip);

/** Writes an answer, no faster than the client reads. Resolves when all was handed to the connection; a small answer is at once. */
export function writeResponse(
  exchange: Exchange,
  answer: Exclude<ApiResponse, { kind: "connect" | "events" }>,
): Promise<void> | void {
  switch (answer.kind) {
    case "bytes":
      return writeBytes(exchange, answer);
    case "object":
      return writeObject(exchange, answer);
    case "stream":
      return writeStream(exchange, answer);
  }
}

function writeBytes(exchange: Exchange, answer: BytesResponse): Promise<void> | void {
  const acceptsGzip = headerOf(exchange.request, "accept-encoding")?.includes("gzip") ?? false;
  if (acceptsGzip && answer.lengthBytes >= compressFromBytes)
    return writeCompressed(exchange, answer);
  const { response } = exchange;
  const headers = [...answer.headers, ["content-length", String(answer.lengthBytes)] as const];
  if (exchange.request.method === "HEAD") return writeWhole(response, answer.status, headers);
  if (answer.lengthBytes <= joinUpToBytes)
    return writeWhole(response, answer.status, headers, join(answer.chunks));
  writeHead(response, answer.status, headers);
  return writeBlocks(response, answer.chunks);
}

async function writeBlocks(
  response: Exchange["response"],
  chunks: Iterable<Uint8Array>,
): Promise<void> {
  for (const filled of inBlocks(chunks, pool)) {
    if (!writeBlock(response, filled) && !(await drained(response))) return;
  }
  response.end();
}

const pool = new BlockPool();

/** A block whose writing failed may still be referred to: it is left to the garbage collector. */
function writeBlock(
  response: Exchange["response"],
  { block, used }: { readonly block: Uint8Array; readonly used: number },
): boolean {
  return (response as ServerResponse).write(block.subarray(0, used), (error) => {
    if (!error) pool.giveBack(block);
  });
}

/** Small answers go out in one write: a record, a system call. */
const joinUpToBytes = 64 * 1024;

function join(chunks: Iterable<Uint8Array>): Uint8Array {
  const list = [...chunks];
  return list.length === 1 && list[0] ? list[0] : Buffer.concat(list);
}

async function writeCompressed({ response }: Exchange, answer: BytesResponse): Promise<void> {
  const bytes = await compress(join(answer.chunks), { level: constants.Z_BEST_SPEED });
  writeHead(response, answer.status, [
    ...answer.headers,
    ["content-encoding", "gzip"],
    ["vary", "Accept-Encoding"],
    ["content-length", String(bytes.length)],
  ]);
  response.end(bytes);
}

function writeObject(
  { response }: Exchange,
  answer: { readonly status: number; readonly headers: Headers; readonly value: unknown },
): void {
  const bytes = Buffer.from(JSON.stringify(answer.value));
  writeHead(response, answer.status, [
    ["content-type", "application/json"],
    ...answer.headers,
    ["content-length", String(bytes.length)],
  ]);
  response.end(bytes);
}

async function writeStream(
  { response }: Exchange,
  answer: {
    readonly status: number;
    readonly headers: Headers;
    readonly frames: FrameSource;
  },
): Promise<void> {
  writeHead(response, answer.status, answer.headers);
  flushHeaders(response);
  await connectFrames(answer.frames, response);
}

/** Head and body in one go. */
function writeWhole(
  response: Exchange["response"],
  status: number,
  headers: Headers,
  body?: Uint8Array,
): void {
  writeHead(response, status, headers);
  if (body === undefined) response.end();
  else response.end(body);
}

function writeHead(response: Exchange["response"], status: number, headers: Headers): void {
  if ("stream" in response) return writeHttp2Head(response, status, headers);
  // A list of names and values is taken as it is, without being looked through and indexed first.
  const flat: string[] = [];
  let cacheControl = false;
  for (const [name, value] of headers) {
    if (name === "cache-control") cacheControl = true;
    flat.push(headerCases.get(name) ?? name, value);
  }
  if (!cacheControl) flat.push("Cache-Control", noCache);
  response.writeHead(status, flat);
}

/** As upstream: what the API answers is for the one who asked, and for now. */
const noCache = "no-cache, private";

/** How Go writes them; clients do not care, people do. */
const headerCases = new Map([
  ["audit-id", "Audit-Id"],
  ["content-type", "Content-Type"],
  ["content-length", "Content-Length"],
  ["content-encoding", "Content-Encoding"],
  ["cache-control", "Cache-Control"],
  ["warning", "Warning"],
  ["retry-after", "Retry-After"],
  ["vary", "Vary"],
]);

function writeHttp2Head(response: Http2ServerResponse, status: number, headers: Headers): void {
  response.statusCode = status;
  let warnings: string[] | undefined;
  response.setHeader("cache-control", noCache);
  for (const [name, value] of headers) {
    if (name === "warning") (warnings ??= []).push(value);
    else response.setHeader(name, value);
  }
  if (warnings !== undefined) response.setHeader("warning", warnings);
}

/** Sends the head at once. The HTTP/2 response has this function too; its declaration lacks it. */
export function flushHeaders(response: Exchange["response"]): void {
  (response as ServerResponse).flushHeaders();
}

/** True once the connection takes more; false when it is gone, or closed because nobody reads. */
function drained(response: Exchange["response"]): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  const guard = new StallGuard(response);
  guard.waiting();
  return new Promise((resolve) => {
    const settle = (more: boolean): void => {
      guard.moved();
      response.off("close", gone);
      response.off("drain", ready);
      resolve(more);
    };
    const gone = (): void => settle(false);
    const ready = (): void => settle(true);
    response.once("close", gone);
    response.once("drain", ready);
  });
}
