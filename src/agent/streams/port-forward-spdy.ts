import type { Duplex } from "node:stream";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { messageOf } from "#base/log.ts";
import { joinConnections } from "#agent/streams/port-forward-join.ts";
import type { PodName, StreamTargets } from "#agent/streams/process-streams.ts";
import { SpdySession } from "#agent/streams/spdy/session.ts";
import type { SpdyStream } from "#agent/streams/spdy/stream.ts";
import { parsePort } from "#agent/streams/stream-request.ts";

export const spdyPortForwardProtocol = "portforward.k8s.io";
/** SPDY frames inside the binary messages of a WebSocket. */
export const tunnelledPortForwardProtocol = "SPDY/3.1+portforward.k8s.io";

export interface PortForwardParts {
  readonly targets: Pick<StreamTargets, "portForward">;
  readonly pod: PodName;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Serves port-forwards until the connection is over. Each is a pair of streams with the same `requestid`: one for
 * data, one for an error text, each naming the `port`.
 */
export async function servePortForward(transport: Duplex, parts: PortForwardParts): Promise<void> {
  const pairs = new Map<string, Pair>();
  const session = new SpdySession(transport, {
    role: "server",
    onStream: (stream) => {
      const refusal = refusalOf(stream);
      if (refusal === undefined) addToPair(pairs, stream, parts);
      return refusal;
    },
  });
  const failure = await session.closed;
  for (const pair of pairs.values()) pair.stop();
  if (failure) parts.log.debug("port-forward connection lost", { ...parts.pod, error: failure });
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  stop: () => void;
}

/** How long the second stream of a pair may stay away. */
const pairPatienceMs = 30_000;

function refusalOf(stream: SpdyStream): string | undefined {
  const type = stream.headers.get("streamtype") ?? "";
  if (type !== "data" && type !== "error") return `invalid stream type "${type}"`;
  try {
    parsePort(stream.headers.get("port") ?? "");
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function addToPair(pairs: Map<string, Pair>, stream: SpdyStream, parts: PortForwardParts): void {
  stream.on("error", () => {});
  const type = stream.headers.get("streamtype") === "data" ? "data" : "error";
  const id = requestId(stream, type);
  const pair = pairs.get(id) ?? startPair(pairs, id, parts);
  if (pair[type] !== undefined) {
    pair.error?.end(`error processing stream for request ${id}: ${type} stream already assigned`);
    stream.destroy();
    return;
  }
  pair[type] = stream;
  if (pair.data === undefined || pair.error === undefined) return;
  pair.stop();
  pairs.delete(id);
  void forward(pair.data, pair.error, parts);
}

/** Clients without request ids open the error stream first, and the data stream next. */
function requestId(stream: SpdyStream, type: "data" | "error"): string {
  const id = stream.headers.get("requestid");
  return id ? `r${id}` : `s${type === "error" ? stream.id : stream.id - 2}`;
}

function startPair(pairs: Map<string, Pair>, id: string, { clock }: PortForwardParts): Pair {
  const stop = clock.after(pairPatienceMs, () => {
    pairs.delete(id);
    pair.error?.end("timed out waiting for streams");
    pair.data?.destroy();
  });
  const pair: Pair = { stop };
  pairs.set(id, pair);
  return pair;
}

async function forward(
  data: SpdyStream,
  error: SpdyStream,
  { targets, pod, log }: PortForwardParts,
): Promise<void> {
  const port = parsePort(data.headers.get("port") ?? "");
  error.resume();
  let target: Duplex;
  try {
    target = await targets.portForward(pod, port);
  } catch (failure) {
    log.info("port-forward failed", { ...pod, port, error: failure });
    error.end(portForwardFailure(pod, port, failure));
    data.resume();
    data.end();
    return;
  }
  const abort = (): unknown => target.destroy();
  data.once("reset", abort);
  data.once("close", abort);
  if (data.destroyed || data.wasReset) abort();
  await joinConnections({ input: data, output: data }, target);
  error.end();
}

/** Upstream's words, which kubectl shows. */
export function portForwardFailure(pod: PodName, port: number, failure: unknown): string {
  return `error forwarding port ${port} to pod ${pod.pod}, namespace ${pod.namespace}: ${messageOf(failure)}`;
}
