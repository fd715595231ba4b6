import { initialWindowBytes } from "#agent/streams/spdy/stream.ts";
import type { SpdyStream } from "#agent/streams/spdy/stream.ts";

export interface SendWindows {
  /** Writes `data` piece by piece as the windows allow; `done` is called after the last, or when dropped. */
  send(stream: SpdyStream, data: Buffer, sender: Sender): void;
  /** A window update of the peer; without a stream it concerns the session or one that is gone. */
  update(stream: SpdyStream | undefined, update: { streamId: number; delta: number }): void;
  /** The stream is over: what waits for its window is given up. */
  drop(stream: SpdyStream): void;
}

interface Sender {
  write(piece: Buffer, done: Done): void;
  readonly done: Done;
}

type Done = (error?: Error | null) => void;

/**
 * SPDY/3.1's flow control of what is sent. The windows are counted from the start but heeded only once the peer has
 * sent an update: spdystream never does, and would otherwise be sent 64 KB and no more.
 */
export function createSendWindows(): SendWindows {
  const waiting = new Map<SpdyStream, { data: Buffer; sender: Sender }>();
  let sessionBytes = initialWindowBytes;
  let heeded = false;

  const send = (stream: SpdyStream, data: Buffer, sender: Sender): void => {
    const allowed = heeded ? Math.min(stream.sendWindowBytes, sessionBytes) : data.length;
    if (allowed <= 0 && data.length > 0) {
      waiting.set(stream, { data, sender });
      return;
    }
    const piece = data.subarray(0, Math.min(allowed, pieceBytesMax));
    const rest = data.subarray(piece.length);
    stream.sendWindowBytes -= piece.length;
    sessionBytes -= piece.length;
    sender.write(piece, (error) => {
      if (error || rest.length === 0) return sender.done(error);
      send(stream, rest, sender);
    });
  };

  return {
    send,
    update: (stream, { streamId, delta }) => {
      heeded = true;
      if (streamId === 0) sessionBytes += delta;
      if (stream !== undefined) stream.sendWindowBytes += delta;
      const ready = [...waiting];
      waiting.clear();
      for (const [waiter, { data, sender }] of ready) send(waiter, data, sender);
    },
    drop: (stream) => {
      const dropped = waiting.get(stream);
      waiting.delete(stream);
      dropped?.sender.done();
    },
  };
}

/** Small enough that one stream does not hold up the others; a frame could carry 16 MB. */
const pieceBytesMax = 64 * 1024;
