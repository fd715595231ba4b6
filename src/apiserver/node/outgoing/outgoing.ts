import { Agent, request as httpsRequest } from "node:https";
import type { RequestOptions } from "node:https";
import type { ClientRequest, IncomingMessage } from "node:http";
import type {
  Outgoing,
  OutgoingAnswer,
  OutgoingRequest,
  OutgoingStream,
} from "#apiserver/outgoing.ts";
import { reasonOf } from "#apiserver/node/outgoing/reason.ts";

/** The certificate with which the API server vouches for users to servers that extend it. */
export interface FrontProxy {
  readonly key: string;
  readonly certificate: string;
}

const freeConnectionsMax = 16;
const connectionIdleMs = 90_000;

/** Sends over HTTPS on connections that are kept and used again. */
export function createOutgoing(frontProxy?: FrontProxy): Outgoing & Disposable {
  const agent = new Agent({
    keepAlive: true,
    maxFreeSockets: freeConnectionsMax,
    timeout: connectionIdleMs,
    scheduling: "lifo",
  });
  return {
    send: (request) => sendTwice(request, tlsOptions(request, { agent, frontProxy })),
    stream: (request) => stream(request, tlsOptions(request, { agent, frontProxy })),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Means {
  readonly agent: Agent;
  readonly frontProxy: FrontProxy | undefined;
}

function tlsOptions(request: OutgoingRequest, { agent, frontProxy }: Means): RequestOptions {
  const { trust, address } = request;
  const url = new URL(request.url);
  const host = hostnameOf(url);
  const serverName = trust.serverName ?? host;
  return {
    agent,
    method: request.method,
    host: address?.host ?? host,
    port: address?.port ?? (url.port || 443),
    path: url.pathname + url.search,
    headers: {
      ...mutable(request.headers),
      host: url.host,
      ...(request.body && { "content-length": String(request.body.length) }),
    },
    // An address is no server name that TLS could ask for.
    ...(!isAddress(serverName) && { servername: serverName }),
    ...(trust.authorities !== undefined && { ca: trust.authorities }),
    ...(trust.asFrontProxy && frontProxy && { key: frontProxy.key, cert: frontProxy.certificate }),
    ...(trust.client && { key: trust.client.key, cert: trust.client.certificate }),
    rejectUnauthorized: trust.unverified !== true,
  };
}

/** Node writes several headers of one name for a list. */
function mutable(headers: OutgoingRequest["headers"]): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? value : [...value],
    ]),
  );
}

function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+(?:\.\d+){3}$/.test(host);
}

/** A kept connection that the other side has closed meanwhile says nothing about the other side: once more. */
async function sendTwice(
  request: OutgoingRequest,
  options: RequestOptions,
): Promise<OutgoingAnswer> {
  const sent = { stale: false };
  try {
    return await send(request, options, sent);
  } catch (error) {
    if (!sent.stale) throw error;
    return send(request, { ...options, agent: false }, sent);
  }
}

async function send(
  request: OutgoingRequest,
  options: RequestOptions,
  sent: { stale: boolean },
): Promise<OutgoingAnswer> {
  return open({ request, options, sent }, (answer) => collected(answer, request.limitBytes));
}

/** The time limit ends with the head of the answer. */
async function stream(request: OutgoingRequest, options: RequestOptions): Promise<OutgoingStream> {
  const sent = { stale: false };
  return open({ request, options, sent }, (answer) => ({
    status: answer.statusCode ?? 0,
    body: answer,
  }));
}

interface Opening {
  readonly request: OutgoingRequest;
  readonly options: RequestOptions;
  readonly sent: { stale: boolean };
}

/** Sends, and reads within the time limit. A plain timer: a signal for each request costs as much as the request. */
async function open<T>(
  { request, options, sent }: Opening,
  read: (answer: IncomingMessage) => T | Promise<T>,
): Promise<T> {
  const outgoing = httpsRequest(options);
  const ending = giveUpIn(outgoing, request);
  try {
    outgoing.end(request.body);
    return await read(await answerTo(outgoing));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isReset = code === "ECONNRESET" || code === "EPIPE";
    sent.stale = ending.why === undefined && outgoing.reusedSocket && isReset;
    const reason = ending.why ?? reasonOf(error, options);
    throw new Error(`${wordOf(request.method)} ${JSON.stringify(request.url)}: ${reason}`, {
      cause: error,
    });
  } finally {
    ending.cancelTimer();
  }
}

interface Ending {
  /** Why the request was given up, if it was. */
  why: string | undefined;
  readonly cancelTimer: () => void;
}

/** Ends the request when its time is up, and when nobody wants its answer any more. */
function giveUpIn(outgoing: ClientRequest, { timeoutMs, signal }: OutgoingRequest): Ending {
  const giveUp = (why: string): void => {
    ending.why ??= why;
    outgoing.destroy(new Error(why));
  };
  const timer = setTimeout(() => giveUp("context deadline exceeded"), timeoutMs);
  const ending: Ending = { why: undefined, cancelTimer: () => clearTimeout(timer) };
  if (signal === undefined) return ending;
  const cancel = (): void => giveUp("context canceled");
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  outgoing.once("close", () => signal.removeEventListener("abort", cancel));
  return ending;
}

/** As Go's client begins its messages. */
function wordOf(method: string): string {
  return method.slice(0, 1) + method.slice(1).toLowerCase();
}

function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
  });
}

async function collected(answer: IncomingMessage, limitBytes: number): Promise<OutgoingAnswer> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of answer) {
    const bytes = chunk as Buffer;
    lengthBytes += bytes.length;
    if (lengthBytes > limitBytes) {
      answer.destroy();
      throw new Error(`the answer is longer than ${limitBytes} bytes`);
    }
    chunks.push(bytes);
  }
  return {
    status: answer.statusCode ?? 0,
    header: (name) => {
      const value = answer.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    body: Buffer.concat(chunks),
  };
}
