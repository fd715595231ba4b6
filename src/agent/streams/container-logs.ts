import type { ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { WebSocket } from "ws";
import type { ContainerName, LogOptions, StreamTargets } from "#agent/streams/process-streams.ts";

/** The subprotocols of logs over a WebSocket; without one, messages are binary. */
export const webSocketLogProtocols: readonly string[] = ["binary.k8s.io", "base64.binary.k8s.io"];

export interface LogRequest {
  readonly container: ContainerName;
  readonly options: Omit<LogOptions, "signal">;
}

/** Answers with the log as it is written, until its end or until the client is gone; rejects before the first byte. */
export async function serveLogs(
  response: ServerResponse,
  { container, options }: LogRequest,
  targets: Pick<StreamTargets, "logs">,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const log = await targets.logs(container, { ...options, signal: gone.signal });
  response.writeHead(200, { "content-type": "text/plain" });
  response.flushHeaders();
  await pipeline(log, response).catch(() => response.destroy());
}

/** The same in the messages of a WebSocket; what the client sends is passed over. */
export async function serveWebSocketLogs(
  socket: WebSocket,
  { container, options }: LogRequest,
  targets: Pick<StreamTargets, "logs">,
): Promise<void> {
  const gone = new AbortController();
  const isBase64 = socket.protocol.startsWith("base64.");
  socket.once("close", () => gone.abort());
  socket.on("error", () => socket.terminate());
  const log = await targets.logs(container, { ...options, signal: gone.signal });
  gone.signal.addEventListener("abort", () => log.destroy(), { once: true });
  try {
    for await (const chunk of log as AsyncIterable<Buffer | string>) {
      const bytes = Buffer.from(chunk as Buffer);
      await send(socket, isBase64 ? bytes.toString("base64") : bytes);
    }
    socket.close(normalClosure);
  } catch (error) {
    if (socket.readyState === socket.OPEN) socket.close(internalFailure);
    if (!gone.signal.aborted) throw error;
  }
}

const normalClosure = 1000;
const internalFailure = 1011;

function send(socket: WebSocket, message: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, (error) => (error ? reject(error) : resolve()));
  });
}
