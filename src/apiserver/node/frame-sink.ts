import { Buffer } from "node:buffer";
import type { ServerResponse } from "node:http";
import type { EventEmitter } from "node:events";
import type { Http2ServerResponse } from "node:http2";
import type { FrameSource } from "#apiserver/request.ts";
import { StallGuard } from "#apiserver/node/stall-guard.ts";

/**
 * Joins the frames of a watch to an answer whose head is sent. A frame goes from the watch straight to the
 * connection; a connection that is full holds the watch back until it has drained. Resolves when the answer closed.
 */
export function connectFrames(
  frames: FrameSource,
  response: ServerResponse | Http2ServerResponse,
): Promise<void> {
  return new Promise((resolve) => {
    const output = outputOf(response);
    const guard = new StallGuard(response);
    const flow = frames.start({
      write: (bytes) => {
        if (output.connection.destroyed) return false;
        if (output.write(bytes)) return true;
        guard.waiting();
        return false;
      },
      end: () => {
        guard.waiting();
        response.end();
      },
    });
    const onDrain = (): void => {
      guard.moved();
      flow.resume();
    };
    output.connection.on("drain", onDrain);
    response.once("close", () => {
      output.connection.off("drain", onDrain);
      guard.moved();
      flow.stop();
      resolve();
    });
    if (!output.connection.destroyed) return;
    flow.stop();
    resolve();
  });
}

interface Output {
  /** Where it is told that there is room again. */
  readonly connection: EventEmitter & { readonly destroyed: boolean };
  write(bytes: Uint8Array): boolean;
}

function outputOf(response: ServerResponse | Http2ServerResponse): Output {
  if ("stream" in response) {
    const { stream } = response;
    return { connection: stream, write: (bytes) => stream.write(bytes) };
  }
  const { socket } = response;
  if (socket === null || !response.chunkedEncoding)
    return { connection: response, write: (bytes) => response.write(bytes) };
  // The answer is its connection's own already: one write where Node makes four of a chunk.
  return { connection: socket, write: (bytes) => socket.write(chunkOf(bytes)) };
}

/** A frame that goes to many connections is made a chunk once. */
function chunkOf(bytes: Uint8Array): Buffer {
  let chunk = chunks.get(bytes);
  if (chunk === undefined) {
    chunk = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineEnd]);
    chunks.set(bytes, chunk);
  }
  return chunk;
}

const chunks = new WeakMap<Uint8Array, Buffer>();
const lineEnd = Buffer.from("\r\n");
