import { Readable, Writable } from "node:stream";
import type { RawData, WebSocket } from "ws";

/**
 * Kubernetes' channels over one WebSocket: each message begins with the channel's number, a byte in the binary
 * protocols, a digit before Base64 text in those named `base64.`. In v5 a message of 255 and a number ends that
 * channel.
 */
export class WebSocketChannels {
  /** Resolves when the connection is over. */
  readonly gone: Promise<void>;
  readonly #socket: WebSocket;
  readonly #isBase64: boolean;
  readonly #endsChannels: boolean;
  readonly #inputs = new Map<number, Readable>();
  readonly #full = new Set<number>();

  constructor(socket: WebSocket, protocol: string) {
    this.#socket = socket;
    this.#isBase64 = protocol.includes("base64.");
    this.#endsChannels = protocol.startsWith("v5.");
    this.gone = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("message", (message) => this.#receive(toBuffer(message)));
    socket.on("error", () => socket.terminate());
    socket.once("close", () => this.#cut());
  }

  /** What the client sends on a channel. Destroyed, it swallows the rest. */
  readable(channel: number): Readable {
    const input = new Readable({
      read: () => this.#drained(channel),
      destroy: (error, done) => {
        this.#drained(channel);
        done(error);
      },
      highWaterMark: inputBufferBytes,
    });
    input.on("error", () => {});
    this.#inputs.set(channel, input);
    return input;
  }

  /** Sends on a channel; each write waits until the one before has left the process. */
  writable(channel: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, done),
    }).on("error", () => {});
  }

  send(channel: number, data: Buffer, done: (error?: Error | null) => void = () => {}): void {
    if (this.#socket.readyState !== this.#socket.OPEN) {
      return done(new Error("Cannot send on a channel: the connection is closed"));
    }
    const message = this.#isBase64
      ? `${channel}${data.toString("base64")}`
      : Buffer.concat([Buffer.from([channel]), data]);
    this.#socket.send(message, done);
  }

  /** Closes the connection in order, after what was sent. */
  close(): void {
    this.#socket.close(normalClosure);
  }

  #receive(message: Buffer): void {
    if (message.length === 0) return;
    const first = message.readUInt8(0);
    const channel = this.#isBase64 ? first - digitZero : first;
    if (channel === endChannel) {
      if (this.#endsChannels && message.length > 1) this.#end(message.readUInt8(1));
      return;
    }
    const input = this.#inputs.get(channel);
    if (input === undefined || input.destroyed || input.readableEnded) return;
    const body = message.subarray(1);
    const data = this.#isBase64 ? Buffer.from(body.toString("latin1"), "base64") : body;
    if (data.length > 0 && !input.push(data)) {
      this.#full.add(channel);
      this.#socket.pause();
    }
  }

  #end(channel: number): void {
    this.#inputs.get(channel)?.push(null);
    this.#inputs.delete(channel);
  }

  #drained(channel: number): void {
    if (!this.#full.delete(channel) || this.#full.size > 0) return;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.resume();
  }

  #cut(): void {
    for (const input of this.#inputs.values()) {
      input.destroy(new Error("Cannot read a channel: the connection was lost"));
    }
    this.#inputs.clear();
  }
}

const endChannel = 255;
const digitZero = 0x30;
const normalClosure = 1000;
/** What a channel may hold unread before the connection as a whole is paused. */
const inputBufferBytes = 256 * 1024;

function toBuffer(message: RawData): Buffer {
  if (Buffer.isBuffer(message)) return message;
  return Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message);
}
