import { Duplex } from "node:stream";
import type { SpdyHeaders } from "#agent/streams/spdy/headers.ts";

/** What a stream asks of its session. */
export interface StreamCarrier {
  sendData(stream: SpdyStream, data: Buffer, done: (error?: Error | null) => void): void;
  sendFin(stream: SpdyStream, done: (error?: Error | null) => void): void;
  sendReset(stream: SpdyStream): void;
  /** The stream holds as much as it may: nothing more is read from the connection until `drained`. */
  full(stream: SpdyStream): void;
  drained(stream: SpdyStream): void;
  /** So many bytes were taken out by the reader. */
  consumed(stream: SpdyStream, bytes: number): void;
  /** Both directions are over. */
  forget(stream: SpdyStream): void;
}

/**
 * One stream of a SPDY session. `end()` closes the own direction and leaves the other open; `destroy()` resets both.
 * A reset by the peer ends the reading side after what had arrived, drops what is still written, and emits `reset`:
 * spdystream resets streams as its ordinary way to close them.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  /** How much the peer lets us send; counted always, heeded once the peer is known to send window updates. */
  sendWindowBytes = initialWindowBytes;
  readonly #carrier: StreamCarrier;
  #receivedBytes = 0;
  #remoteClosed = false;
  #localClosed = false;
  #isReset = false;

  constructor(id: number, headers: SpdyHeaders, carrier: StreamCarrier) {
    super({ allowHalfOpen: true, readableHighWaterMark: receiveBufferBytes });
    this.id = id;
    this.headers = headers;
    this.#carrier = carrier;
  }

  /** Takes data of the peer; called by the session. */
  receive(data: Buffer): void {
    if (this.#remoteClosed || this.destroyed || data.length === 0) return;
    this.#receivedBytes += data.length;
    if (!this.push(data)) this.#carrier.full(this);
    this.#accountForReading();
  }

  /** The peer ended its direction; called by the session. */
  receiveFin(): void {
    if (this.#remoteClosed || this.destroyed) return;
    this.#remoteClosed = true;
    this.push(null);
    this.#forgetWhenOver();
  }

  /** The peer gave the stream up; called by the session. */
  receiveReset(): void {
    if (this.#isReset || this.destroyed) return;
    this.#isReset = true;
    this.#localClosed = true;
    this.receiveFin();
    this.#forgetWhenOver();
    this.emit("reset");
  }

  /** Nothing is fetched: data comes as the peer sends it. */
  override _read(): void {}

  get wasReset(): boolean {
    return this.#isReset;
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#accountForReading();
    return chunk;
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    if (this.#isReset) return done();
    this.#carrier.sendData(this, chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#localClosed) return done();
    this.#localClosed = true;
    this.#carrier.sendFin(this, done);
    this.#forgetWhenOver();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#localClosed || !this.#remoteClosed) this.#carrier.sendReset(this);
    this.#carrier.drained(this);
    this.#carrier.forget(this);
    done(error);
  }

  #accountForReading(): void {
    if (this.readableLength < this.readableHighWaterMark) this.#carrier.drained(this);
    const consumedBytes = this.#receivedBytes - this.readableLength;
    if (consumedBytes < windowUpdateBytes || this.#remoteClosed) return;
    this.#receivedBytes -= consumedBytes;
    this.#carrier.consumed(this, consumedBytes);
  }

  #forgetWhenOver(): void {
    if (this.#localClosed && this.#remoteClosed) this.#carrier.forget(this);
  }
}

/** SPDY/3's window at the start of every stream and of the session. */
export const initialWindowBytes = 64 * 1024;
/** What a stream may hold unread before the connection as a whole is paused. */
const receiveBufferBytes = 256 * 1024;
const windowUpdateBytes = 32 * 1024;
