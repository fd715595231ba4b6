import type { Duplex } from "node:stream";
import type { Clock } from "#base/clock.ts";
import type { AttachOptions } from "#agent/streams/process-streams.ts";
import type { ProcessChannels } from "#agent/streams/process-channels.ts";
import { SpdySession } from "#agent/streams/spdy/session.ts";
import type { SpdyStream } from "#agent/streams/spdy/stream.ts";
import { createTerminalSizeReader } from "#agent/streams/terminal-size.ts";

/** The protocols of exec and attach over SPDY, best first. They name the same streams; see `expectedStreams`. */
export const spdyCommandProtocols: readonly string[] = [
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
];

/** How long a client may take to open the streams it announced, and to close the connection in the end. */
const patienceMs = 30_000;

/**
 * The server's end of an exec or attach over an upgraded connection. Resolves once the client has opened a stream
 * for each channel, rejects when it does not.
 */
export async function acceptSpdyCommand(
  transport: Duplex,
  command: { readonly protocol: string; readonly options: AttachOptions },
  clock: Clock,
): Promise<ProcessChannels> {
  const expected = expectedStreams(command);
  const streams = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const session = new SpdySession(transport, {
    role: "server",
    streamsMax: expected.size,
    onStream: (stream) => {
      const type = stream.headers.get("streamtype") ?? "";
      if (!expected.has(type) || streams.has(type)) return `no stream of type "${type}" is wanted`;
      stream.on("error", () => {});
      streams.set(type, stream);
      if (streams.size === expected.size) complete.resolve();
      return undefined;
    },
  });
  const stop = clock.after(patienceMs, () =>
    complete.reject(
      new Error("Cannot serve the command: timed out waiting for client to create streams"),
    ),
  );
  void session.closed.then(() =>
    complete.reject(new Error("Cannot serve the command: the client is gone")),
  );
  try {
    await complete.promise;
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    stop();
  }
  return channelsOf(session, streams, clock);
}

function expectedStreams({
  protocol,
  options,
}: {
  readonly protocol: string;
  readonly options: AttachOptions;
}): ReadonlySet<string> {
  const resizes = protocol.startsWith("v3.") || protocol.startsWith("v4.");
  return new Set([
    "error",
    ...(options.stdin ? ["stdin"] : []),
    ...(options.stdout ? ["stdout"] : []),
    ...(options.stderr ? ["stderr"] : []),
    ...(options.tty && resizes ? ["resize"] : []),
  ]);
}

function channelsOf(
  session: SpdySession,
  streams: ReadonlyMap<string, SpdyStream>,
  clock: Clock,
): ProcessChannels {
  const stdin = streams.get("stdin");
  const stdout = streams.get("stdout");
  const stderr = streams.get("stderr");
  const error = streams.get("error");
  // The client sends nothing on these, but their ends are read so that the streams can close.
  for (const stream of [stdout, stderr, error]) stream?.resume();
  return {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    onResize: (listener) => streams.get("resize")?.on("data", createTerminalSizeReader(listener)),
    gone: session.closed.then(() => undefined),
    finish: async (endText) => {
      await new Promise<void>((resolve) => {
        error?.once("close", resolve);
        error?.end(endText, resolve);
      });
      session.close();
      const stop = clock.after(patienceMs, () => session.destroy());
      await session.closed;
      stop();
    },
  };
}
