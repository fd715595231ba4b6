import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import type { ApiResponse } from "#apiserver/request.ts";
import type { Upgrade } from "#apiserver/node/https-server.ts";
import { StallGuard } from "#apiserver/node/stall-guard.ts";

/** A watch's answer: an endless row of frames. */
type WatchAnswer = Extract<ApiResponse, { kind: "stream" }>;

export function isWebSocketRequest({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Serves a watch over a WebSocket as upstream does: every event is one message, text for JSON and binary for protobuf
 * (without the length that delimits it elsewhere). What the client sends is ignored. A handshake that is none is
 * answered in HTTP. Resolves when the connection is closed.
 */
export function serveWatchWebSocket(upgrade: Upgrade, answer: WatchAnswer): Promise<void> {
  return new Promise((resolve) => {
    upgrade.socket.once("close", () => resolve());
    webSockets.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, (webSocket) =>
      joinFrames(answer, webSocket, upgrade.socket as Socket),
    );
  });
}

/** Clients have nothing to say on a watch but that they close it. */
const messageBytesMax = 64 * 1024;

const webSockets = new WebSocketServer({
  noServer: true,
  maxPayload: messageBytesMax,
  perMessageDeflate: false,
  handleProtocols: chooseProtocol,
});

/** A browser's token travels as a protocol; it is never the one that is agreed on. */
const tokenProtocol = "base64url.bearer.authorization.k8s.io.";

/** A watch speaks no protocol of its own: the client's first one is echoed, so that it sees its wish granted. */
function chooseProtocol(offered: Set<string>): string | false {
  for (const protocol of offered) if (!protocol.startsWith(tokenProtocol)) return protocol;
  return false;
}

/** No event is written to a connection that is full: the watch waits, and a client that never reads is cut off. */
function joinFrames(answer: WatchAnswer, webSocket: WebSocket, socket: Socket): void {
  const messages = messagesOf(answer);
  const guard = new StallGuard(socket);
  webSocket.on("error", () => socket.destroy());
  const flow = answer.frames.start({
    write: (frames) => {
      if (webSocket.readyState !== webSocket.OPEN) return false;
      for (const message of messages.split(frames)) {
        webSocket.send(message, { binary: messages.binary });
      }
      if (!socket.writableNeedDrain) return true;
      guard.waiting();
      return false;
    },
    end: () => {
      guard.waiting();
      webSocket.close(closedNormally);
    },
  });
  const onDrain = (): void => {
    guard.moved();
    flow.resume();
  };
  socket.on("drain", onDrain);
  webSocket.once("close", () => {
    socket.off("drain", onDrain);
    guard.moved();
    flow.stop();
  });
}

/** RFC 6455, section 7.4.1. */
const closedNormally = 1000;

interface Messages {
  readonly binary: boolean;
  /** Whole frames, one or more of them, as the messages that hold one each. */
  split(frames: Uint8Array): Iterable<Uint8Array>;
}

function messagesOf(answer: { readonly headers: WatchAnswer["headers"] }): Messages {
  const type = answer.headers.find(([name]) => name === "content-type")?.[1] ?? "";
  return type.startsWith("application/vnd.kubernetes.protobuf")
    ? { binary: true, split: delimitedMessages }
    : { binary: false, split: lines };
}

/** Each event ends its line and holds no other line's end. */
function* lines(frames: Uint8Array): Iterable<Uint8Array> {
  let start = 0;
  while (start < frames.length) {
    const end = frames.indexOf(lineEnd, start);
    const next = end < 0 ? frames.length : end + 1;
    yield frames.subarray(start, next);
    start = next;
  }
}

const lineEnd = 0x0a;

function* delimitedMessages(frames: Uint8Array): Iterable<Uint8Array> {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength);
  let start = 0;
  while (start < bytes.length) {
    const end = start + lengthBytes + bytes.readUInt32BE(start);
    yield bytes.subarray(start + lengthBytes, end);
    start = end;
  }
}

const lengthBytes = 4;
