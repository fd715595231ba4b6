import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import { badRequest, StatusError } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { serveWebSocketLogs, webSocketLogProtocols } from "#agent/streams/container-logs.ts";
import { attachEndText, execEndText } from "#agent/streams/exit-status.ts";
import { httpHead } from "#agent/streams/http-answer.ts";
import {
  servePortForward,
  spdyPortForwardProtocol,
  tunnelledPortForwardProtocol,
} from "#agent/streams/port-forward-spdy.ts";
import {
  serveWebSocketPortForward,
  webSocketPortForwardProtocols,
} from "#agent/streams/port-forward-web-socket.ts";
import { serveProcess } from "#agent/streams/process-channels.ts";
import type { ProcessChannels } from "#agent/streams/process-channels.ts";
import type { ProcessEnd, ProcessStreams, StreamTargets } from "#agent/streams/process-streams.ts";
import { acceptSpdyCommand, spdyCommandProtocols } from "#agent/streams/remote-command-spdy.ts";
import {
  webSocketCommand,
  webSocketCommandProtocols,
} from "#agent/streams/remote-command-web-socket.ts";
import type { StreamRequest } from "#agent/streams/stream-request.ts";

export interface UpgradeParts {
  readonly targets: StreamTargets;
  readonly clock: Clock;
  readonly log: Log;
  readonly idleTimeoutMs: number;
}

/** A connection whose client asked to leave HTTP. */
export interface UpgradedConnection {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What the client sent ahead. */
  readonly head: Buffer;
}

/**
 * Serves a request that asks for WebSocket or SPDY until its connection is over. What is wrong before the upgrade
 * is thrown, to be answered in HTTP.
 */
export async function serveUpgrade(
  connection: UpgradedConnection,
  request: StreamRequest,
  parts: UpgradeParts,
): Promise<void> {
  switch (request.kind) {
    case "exec":
    case "attach":
      return serveCommand(connection, request, parts);
    case "port-forward":
      return serveForward(connection, request, parts);
    case "logs": {
      if (!isWebSocket(connection)) throw badRequest("Logs can be upgraded to WebSocket only");
      chooseWebSocketProtocol(connection, webSocketLogProtocols);
      const socket = await openWebSocket(connection, webSocketLogProtocols, parts);
      return serveWebSocketLogs(socket, request, parts.targets);
    }
    case "page":
      throw badRequest(`Cannot upgrade a connection for "${request.path}"`);
  }
}

/** As upstream's `maxPayloadBytes`: some clients send a whole input as one message. */
const messageBytesMax = 32 * 1024 * 1024;

const webSockets = new WebSocketServer({
  noServer: true,
  maxPayload: messageBytesMax,
  perMessageDeflate: false,
});

type CommandRequest = Extract<StreamRequest, { kind: "exec" | "attach" }>;

async function serveCommand(
  connection: UpgradedConnection,
  request: CommandRequest,
  parts: UpgradeParts,
): Promise<void> {
  const overWebSocket = isWebSocket(connection);
  const protocol = overWebSocket
    ? chooseWebSocketProtocol(connection, webSocketCommandProtocols)
    : chooseSpdyProtocol(connection, spdyCommandProtocols);
  const process = await startProcess(request, parts.targets);
  let channels: ProcessChannels;
  try {
    channels = overWebSocket
      ? webSocketCommand(
          await openWebSocket(connection, webSocketCommandProtocols, parts),
          request.options,
        )
      : await acceptSpdyCommand(
          openSpdy(connection, protocol, parts),
          { protocol, options: request.options },
          parts.clock,
        );
  } catch (error) {
    process.close();
    throw error;
  }
  await serveProcess(process, channels, (end) => endText(end, request, protocol));
}

function startProcess(request: CommandRequest, targets: StreamTargets): Promise<ProcessStreams> {
  return request.kind === "exec"
    ? targets.exec(request.container, request.options)
    : targets.attach(request.container, request.options);
}

function endText(end: ProcessEnd, request: CommandRequest, protocol: string): string {
  const hasStatus = /^v[45]\./.test(protocol);
  return request.kind === "exec"
    ? execEndText(end, request.options.command, hasStatus)
    : attachEndText(end, hasStatus);
}

async function serveForward(
  connection: UpgradedConnection,
  request: Extract<StreamRequest, { kind: "port-forward" }>,
  parts: UpgradeParts,
): Promise<void> {
  const forward = { ...parts, pod: request.pod };
  if (!isWebSocket(connection)) {
    const protocol = chooseSpdyProtocol(connection, [spdyPortForwardProtocol]);
    return servePortForward(openSpdy(connection, protocol, parts), forward);
  }
  const offered = [tunnelledPortForwardProtocol, ...webSocketPortForwardProtocols];
  const protocol = chooseWebSocketProtocol(connection, offered);
  if (protocol !== tunnelledPortForwardProtocol && request.ports.length === 0) {
    throw badRequest('query parameter "port" is required');
  }
  const socket = await openWebSocket(connection, offered, parts);
  return protocol === tunnelledPortForwardProtocol
    ? servePortForward(createWebSocketStream(socket), forward)
    : serveWebSocketPortForward(socket, request.ports, forward);
}

function isWebSocket({ request }: UpgradedConnection): boolean {
  return request.headers.upgrade?.toLowerCase() === "websocket";
}

/** The client's first choice that is spoken here; none asked for is none chosen. */
function chooseWebSocketProtocol(
  { request }: UpgradedConnection,
  offered: readonly string[],
): string {
  const wanted = listOf(request.headers["sec-websocket-protocol"]);
  const chosen = wanted.find((protocol) => offered.includes(protocol));
  if (chosen !== undefined || wanted.length === 0) return chosen ?? "";
  throw badRequest(
    `unable to upgrade: requested protocol(s) are not supported: [${wanted.join(" ")}]; supports [${offered.join(" ")}]`,
  );
}

function openWebSocket(
  { request, socket, head }: UpgradedConnection,
  offered: readonly string[],
  { idleTimeoutMs }: UpgradeParts,
): Promise<WebSocket> {
  const wanted = listOf(request.headers["sec-websocket-protocol"]);
  const chosen = wanted.find((protocol) => offered.includes(protocol));
  // `ws` picks the first of those listed: leave it the one that was chosen.
  if (chosen !== undefined) request.headers["sec-websocket-protocol"] = chosen;
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error("Cannot open a WebSocket: the handshake failed"));
    socket.once("close", closed);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off("close", closed);
      prepareSocket(socket, idleTimeoutMs);
      resolve(webSocket);
    });
  });
}

function chooseSpdyProtocol(connection: UpgradedConnection, offered: readonly string[]): string {
  const { headers } = connection.request;
  if (headers.upgrade?.toLowerCase() !== "spdy/3.1") {
    throw badRequest("Upgrade request required: WebSocket or SPDY/3.1");
  }
  const wanted = listOf(headers["x-stream-protocol-version"]);
  if (wanted.length === 0) {
    throw badRequest("unable to upgrade: X-Stream-Protocol-Version header is required");
  }
  const chosen = wanted.find((protocol) => offered.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new StatusError({
    code: 403,
    reason: "Forbidden",
    message: `unable to upgrade: unable to negotiate protocol: client supports [${wanted.join(" ")}], server accepts [${offered.join(" ")}]`,
  });
}

function openSpdy(
  { socket, head }: UpgradedConnection,
  protocol: string,
  { idleTimeoutMs }: UpgradeParts,
): Socket {
  socket.write(
    httpHead("101 Switching Protocols", {
      Connection: "Upgrade",
      Upgrade: "SPDY/3.1",
      "X-Stream-Protocol-Version": protocol,
    }),
  );
  if (head.length > 0) socket.unshift(head);
  prepareSocket(socket, idleTimeoutMs);
  return socket;
}

function prepareSocket(socket: Socket, idleTimeoutMs: number): void {
  socket.setNoDelay(true);
  socket.setTimeout(idleTimeoutMs, () => socket.destroy());
}

function listOf(header: string | string[] | undefined): readonly string[] {
  return String(header ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
