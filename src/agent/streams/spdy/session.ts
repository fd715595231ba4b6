import type { Duplex } from "node:stream";
import {
  createFrameDecoder,
  encodeControl,
  encodeDataHeader,
  goawayStatus,
  resetStatus,
  SpdyError,
} from "#agent/streams/spdy/frames.ts";
import type { DataFrame, Frame } from "#agent/streams/spdy/frames.ts";
import { createHeaderCompressor, createHeaderDecompressor } from "#agent/streams/spdy/headers.ts";
import type { SpdyHeaders } from "#agent/streams/spdy/headers.ts";
import { createSendWindows } from "#agent/streams/spdy/send-windows.ts";
import { SpdyStream } from "#agent/streams/spdy/stream.ts";
import type { StreamCarrier } from "#agent/streams/spdy/stream.ts";

export interface SpdySessionOptions {
  readonly role: "client" | "server";
  /**
   * Takes a stream the peer opens, before any of its data; it is answered once this returns. Returning a text
   * refuses the stream. Without it every stream is refused.
   */
  readonly onStream?: (stream: SpdyStream) => string | undefined;
  /** How many streams may be open at once; default 1,000. */
  readonly streamsMax?: number;
}

/**
 * A SPDY/3.1 session over any byte stream. The peer is nearly always moby/spdystream (kubectl, containerd): it sends
 * no window updates and heeds none, so back-pressure is the connection's own. A peer that shows by SETTINGS or a
 * window update that it controls flow is treated likewise. Others get no updates: bytes that reach a peer after it
 * closed make the kernel reset the connection, and what we had not read yet would be lost.
 */
export class SpdySession {
  /** Resolves when the connection is over, with the reason when it did not end in order. */
  readonly closed: Promise<Error | undefined>;
  readonly #transport: Duplex;
  readonly #options: SpdySessionOptions;
  readonly #decode = createFrameDecoder();
  readonly #compress = createHeaderCompressor();
  readonly #decompress = createHeaderDecompressor();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #opening = new Map<number, PromiseWithResolvers<SpdyStream>>();
  readonly #pings = new Map<number, () => void>();
  readonly #full = new Set<SpdyStream>();
  readonly #windows = createSendWindows();
  readonly #carrier: StreamCarrier;
  readonly #settleClosed: (failure: Error | undefined) => void;
  #nextStreamId: number;
  #nextPingId: number;
  #lastPeerStreamId = 0;
  #controlFramesPending = 0;
  #peerControlsFlow = false;
  #goneAway = false;
  #isOver = false;

  constructor(transport: Duplex, options: SpdySessionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#nextStreamId = options.role === "client" ? 1 : 2;
    this.#nextPingId = this.#nextStreamId;
    this.#carrier = this.#createCarrier();
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.closed = promise;
    this.#settleClosed = resolve;
    transport.on("data", (chunk: Buffer) => this.#receive(chunk));
    transport.on("end", () => this.#transportEnded());
    transport.on("error", (error) => this.#finish(error));
    transport.on("close", () => this.#finish());
  }

  /** Opens a stream; resolves with the peer's answer, rejects when it refuses or the connection ends. */
  open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#isOver || this.#goneAway) {
      return Promise.reject(new Error("Cannot open a stream: the connection is closing"));
    }
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    const stream = this.#addStream(streamId, headers);
    const opening = Promise.withResolvers<SpdyStream>();
    this.#opening.set(streamId, opening);
    const headerBlock = this.#compress(headers);
    this.#send({ kind: "syn-stream", streamId, fin: false, unidirectional: false, headerBlock });
    stream.on("error", () => {});
    return opening.promise;
  }

  /** Resolves when the peer answers; never when the connection ends first (see `closed`). */
  ping(): Promise<void> {
    const id = this.#nextPingId;
    this.#nextPingId += 2;
    return new Promise((resolve) => {
      this.#pings.set(id, resolve);
      this.#send({ kind: "ping", id });
    });
  }

  /** Says goodbye and ends the connection after what was written; what streams still hold unwritten is lost. */
  close(): void {
    if (this.#isOver) return;
    this.#sendGoaway(goawayStatus.ok);
    this.#transport.end();
  }

  destroy(failure?: Error): void {
    this.#transport.destroy();
    this.#finish(failure);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#decode(chunk)) {
        if (this.#isOver) return;
        this.#handle(frame);
      }
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      this.#sendGoaway(goawayStatus.protocolError);
      this.destroy(error);
    }
  }

  #handle(frame: Frame): void {
    switch (frame.kind) {
      case "data":
        return this.#handleData(frame);
      case "syn-stream":
        return this.#handleOpen(frame);
      case "syn-reply":
        this.#decompress(frame.headerBlock);
        return this.#handleReply(frame);
      case "headers":
        this.#decompress(frame.headerBlock);
        if (frame.fin) this.#streams.get(frame.streamId)?.receiveFin();
        return;
      case "rst-stream":
        return this.#handleReset(frame.streamId, frame.status);
      case "ping":
        return this.#handlePing(frame.id);
      case "goaway":
        this.#goneAway = true;
        return;
      case "window-update":
        this.#peerControlsFlow = true;
        return this.#windows.update(this.#streams.get(frame.streamId), frame);
      case "settings":
        this.#peerControlsFlow = true;
        return;
    }
  }

  #handleData(frame: DataFrame): void {
    const stream = this.#streams.get(frame.streamId);
    if (stream === undefined) return this.#windowUpdate(0, frame.data.length);
    stream.receive(frame.data);
    if (frame.fin) stream.receiveFin();
  }

  #handleOpen(frame: Extract<Frame, { kind: "syn-stream" }>): void {
    const { streamId } = frame;
    const headers = this.#decompress(frame.headerBlock);
    const parity = this.#options.role === "server" ? 1 : 0;
    if (streamId % 2 !== parity || streamId <= this.#lastPeerStreamId) {
      return this.#reset(streamId, resetStatus.protocolError);
    }
    this.#lastPeerStreamId = streamId;
    if (this.#streams.size >= (this.#options.streamsMax ?? streamsMaxDefault)) {
      return this.#reset(streamId, resetStatus.refusedStream);
    }
    const stream = this.#addStream(streamId, headers);
    const refusal = this.#options.onStream?.(stream) ?? refusalWithoutHandler(this.#options);
    if (refusal !== undefined) return this.#refuse(stream);
    this.#send({ kind: "syn-reply", streamId, fin: false, headerBlock: this.#compress(new Map()) });
    if (frame.fin) stream.receiveFin();
  }

  #refuse(stream: SpdyStream): void {
    this.#streams.delete(stream.id);
    this.#reset(stream.id, resetStatus.refusedStream);
    stream.receiveReset();
    stream.destroy();
  }

  #handleReply(frame: Extract<Frame, { kind: "syn-reply" | "headers" }>): void {
    const stream = this.#streams.get(frame.streamId);
    if (stream === undefined) return;
    if (frame.fin) stream.receiveFin();
    this.#opening.get(frame.streamId)?.resolve(stream);
    this.#opening.delete(frame.streamId);
  }

  #handleReset(streamId: number, status: number): void {
    const opening = this.#opening.get(streamId);
    this.#opening.delete(streamId);
    opening?.reject(new Error(`Cannot open a stream: the peer refused it (status ${status})`));
    this.#streams.get(streamId)?.receiveReset();
  }

  #handlePing(id: number): void {
    if (id % 2 !== this.#nextPingId % 2) return this.#send({ kind: "ping", id });
    this.#pings.get(id)?.();
    this.#pings.delete(id);
  }

  #addStream(streamId: number, headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(streamId, headers, this.#carrier);
    this.#streams.set(streamId, stream);
    return stream;
  }

  #createCarrier(): StreamCarrier {
    return {
      sendData: (stream, data, done) =>
        this.#windows.send(stream, data, {
          write: (piece, written) => this.#writeData(stream.id, piece, written),
          done,
        }),
      sendFin: (stream, done) => {
        if (this.#isOver) return done();
        this.#transport.write(encodeDataHeader(stream.id, true, 0), done);
      },
      sendReset: (stream) => this.#reset(stream.id, resetStatus.cancel),
      full: (stream) => {
        this.#full.add(stream);
        this.#transport.pause();
      },
      drained: (stream) => {
        if (this.#full.delete(stream) && this.#full.size === 0) this.#transport.resume();
      },
      consumed: (stream, bytes) => {
        this.#windowUpdate(stream.id, bytes);
        this.#windowUpdate(0, bytes);
      },
      forget: (stream) => {
        this.#streams.delete(stream.id);
        this.#windows.drop(stream);
      },
    };
  }

  #writeData(streamId: number, data: Buffer, done: (error?: Error | null) => void): void {
    if (this.#isOver) return done(new Error("Cannot write to a stream: the connection is closed"));
    this.#transport.cork();
    this.#transport.write(encodeDataHeader(streamId, false, data.length));
    this.#transport.write(data, done);
    this.#transport.uncork();
  }

  #windowUpdate(streamId: number, delta: number): void {
    if (delta > 0 && this.#peerControlsFlow) this.#send({ kind: "window-update", streamId, delta });
  }

  #reset(streamId: number, status: number): void {
    this.#send({ kind: "rst-stream", streamId, status });
  }

  #sendGoaway(status: number): void {
    if (this.#goneAway) return;
    this.#goneAway = true;
    this.#send({ kind: "goaway", lastStreamId: this.#lastPeerStreamId, status });
  }

  #send(frame: Exclude<Frame, DataFrame>): void {
    if (this.#isOver || !this.#transport.writable) return;
    if (this.#controlFramesPending >= controlFramesPendingMax) {
      return this.destroy(new SpdyError("Cannot answer: the peer sends but does not read"));
    }
    this.#controlFramesPending++;
    this.#transport.write(encodeControl(frame), () => this.#controlFramesPending--);
  }

  #transportEnded(): void {
    this.#finish();
    this.#transport.end();
  }

  /** Without a failure, streams that were open are cut off all the same, with an error of their own. */
  #finish(failure?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const cut = new Error("Cannot go on: the connection was lost", failure && { cause: failure });
    for (const opening of this.#opening.values()) opening.reject(cut);
    this.#opening.clear();
    for (const stream of this.#streams.values()) {
      stream.on("error", () => {});
      stream.destroy(cut);
    }
    this.#streams.clear();
    this.#settleClosed(failure);
  }
}

const streamsMaxDefault = 1_000;
const controlFramesPendingMax = 10_000;

function refusalWithoutHandler(options: SpdySessionOptions): string | undefined {
  return options.onStream === undefined ? "no streams are taken" : undefined;
}
