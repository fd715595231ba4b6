import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { Duplex, Readable, Writable } from "node:stream";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { systemClock } from "#base/clock.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { readEndText } from "#agent/streams/exit-status.ts";
import type {
  AttachOptions,
  ExecOptions,
  ProcessEnd,
  ProcessStreams,
} from "#agent/streams/process-streams.ts";
import { SpdySession } from "#agent/streams/spdy/session.ts";
import type { SpdyStream } from "#agent/streams/spdy/stream.ts";

/**
 * Runs what CRI's `Exec` answered a URL for; the options are those given to `Exec`. Rejects when the streaming server
 * cannot be reached or refuses.
 */
export function connectExec(
  url: string,
  options: ExecOptions,
  clock: Clock = systemClock,
): Promise<ProcessStreams> {
  return connectProcess(url, options, clock);
}

/** The same for CRI's `Attach`. */
export function connectAttach(
  url: string,
  options: AttachOptions,
  clock: Clock = systemClock,
): Promise<ProcessStreams> {
  return connectProcess(url, options, clock);
}

/**
 * One TCP connection into a sandbox, by the URL CRI's `PortForward` answered. When the port cannot be reached, which
 * shows only after the connection was made, the stream fails with the server's words.
 */
export async function connectPortForward(
  url: string,
  port: number,
  clock: Clock = systemClock,
): Promise<Duplex> {
  const session = await connectSession(url, "portforward.k8s.io", clock);
  const headers = { port: String(port), requestid: "0" };
  const open = (streamtype: string): Promise<SpdyStream> =>
    session.open(new Map(Object.entries({ ...headers, streamtype })));
  const [error, data] = await orDestroy(session, clock, Promise.all([open("error"), open("data")]));
  error.end();
  return closeSessionAfter(joinError(data, error), session);
}

/** How long the streaming server may take to answer the upgrade, and each stream. */
const patienceMs = 30_000;
const answerBytesMax = 64 * 1024;
const commandProtocol = "v4.channel.k8s.io";

async function connectProcess(
  url: string,
  options: AttachOptions,
  clock: Clock,
): Promise<ProcessStreams> {
  const session = await connectSession(url, commandProtocol, clock);
  const streams = await orDestroy(session, clock, openStreams(session, options));
  return processOf(session, streams, options);
}

interface CommandStreams {
  readonly error: SpdyStream;
  readonly stdin?: SpdyStream;
  readonly stdout?: SpdyStream;
  readonly stderr?: SpdyStream;
  readonly resize?: SpdyStream;
}

async function openStreams(session: SpdySession, options: AttachOptions): Promise<CommandStreams> {
  const open = (streamtype: string): Promise<SpdyStream> =>
    session.open(new Map([["streamtype", streamtype]]));
  // A terminal has no stderr of its own.
  const wantsStderr = options.stderr && !options.tty;
  const [error, stdin, stdout, stderr, resize] = await Promise.all([
    open("error"),
    options.stdin ? open("stdin") : undefined,
    options.stdout ? open("stdout") : undefined,
    wantsStderr ? open("stderr") : undefined,
    options.tty ? open("resize") : undefined,
  ]);
  return {
    error,
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    ...(resize && { resize }),
  };
}

function processOf(
  session: SpdySession,
  streams: CommandStreams,
  options: AttachOptions,
): ProcessStreams {
  const { error, stdin, stdout, stderr, resize } = streams;
  for (const output of [error, stdout, stderr]) output?.end();
  stdin?.resume();
  resize?.resume();
  const ended = endOf(session, streams);
  void ended.then(() => session.close());
  return {
    ...(stdin && { stdin: inputOf(stdin) }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    ended,
    resize: ({ width, height }) => {
      if (!options.tty || !resize?.writable) return;
      resize.write(`${JSON.stringify({ Width: width, Height: height })}\n`);
    },
    close: () => session.destroy(),
  };
}

/** Only the writing side: what reads from a Duplex's other side would hang on it. */
function inputOf(stdin: SpdyStream): Writable {
  const input = new Writable({
    write: (chunk: Buffer, _encoding, done) => void stdin.write(chunk, done),
    final: (done) => void stdin.end(done),
    destroy: (error, done) => {
      stdin.end();
      done(error);
    },
  });
  return input.on("error", () => {});
}

/** A status that arrived counts, also when the connection broke right after it; a cut output tells its reader so. */
async function endOf(session: SpdySession, streams: CommandStreams): Promise<ProcessEnd> {
  const { error, stdout, stderr } = streams;
  const outputs = Promise.allSettled([delivered(stdout), delivered(stderr)]);
  try {
    const endText = await text(error);
    await outputs;
    return readEndText(endText);
  } catch (failure) {
    const cause = (await session.closed) ?? failure;
    return { kind: "failed", message: messageOf(cause) };
  }
}

/** Resolves when a stream's reader has all of it, or has given up on it. */
function delivered(stream: SpdyStream | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream === undefined || stream.readableEnded) return resolve();
    stream.once("end", resolve);
    stream.once("error", reject);
    stream.once("close", resolve);
  });
}

/** The data stream; its end waits for the error stream's, and is a failure when that says something. */
function joinError(data: SpdyStream, error: SpdyStream): Duplex {
  const failure = text(error);
  failure.catch(() => {});
  const received = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of data as AsyncIterable<Buffer>) yield chunk;
    const message = await failure;
    if (message !== "") throw new Error(message);
  };
  return Duplex.from({
    readable: Readable.from(received(), { objectMode: false }),
    writable: inputOf(data),
  });
}

function closeSessionAfter(stream: Duplex, session: SpdySession): Duplex {
  return stream.once("close", () => session.close());
}

async function connectSession(url: string, protocol: string, clock: Clock): Promise<SpdySession> {
  const socket = await upgrade(url, protocol, clock);
  return new SpdySession(socket, { role: "client" });
}

function upgrade(url: string, protocol: string, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: "POST",
      agent: false,
      headers: {
        Connection: "Upgrade",
        Upgrade: "SPDY/3.1",
        "X-Stream-Protocol-Version": protocol,
        "Content-Length": 0,
      },
    });
    const stop = clock.after(patienceMs, () => {
      request.destroy(new Error("it does not answer"));
    });
    request.once("upgrade", (_response, socket: Socket, head: Buffer) => {
      stop();
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.once("response", (response) => {
      stop();
      void refusalText(response).then((refusal) => reject(cannotConnect(new Error(refusal))));
    });
    request.once("error", (error) => {
      stop();
      reject(cannotConnect(error));
    });
    request.end();
  });
}

function cannotConnect(cause: Error): Error {
  return new Error("Cannot connect to the container runtime's streaming server", { cause });
}

async function refusalText(response: IncomingMessage): Promise<string> {
  let body = "";
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      body += chunk.toString("utf8");
      if (body.length > answerBytesMax) break;
    }
  } catch {
    // The status alone must do when the rest of the answer was lost.
  }
  return `it answered ${response.statusCode}: ${body.trim()}`;
}

/** Gives the peer a while to open streams; a session that fails at that is of no use. */
async function orDestroy<T>(session: SpdySession, clock: Clock, opening: Promise<T>): Promise<T> {
  const stop = clock.after(patienceMs, () => session.destroy(new Error("it does not answer")));
  try {
    return await opening;
  } catch (error) {
    session.destroy();
    throw cannotConnect(error instanceof Error ? error : new Error(String(error)));
  } finally {
    stop();
  }
}
