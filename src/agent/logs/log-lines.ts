import type { LogOptions } from "#agent/streams/process-streams.ts";

const space = 0x20;
const newline = 0x0a;
const partialTag = 0x50;

/**
 * Turns lines of a CRI log (`TIME STREAM TAG TEXT`) into what was asked for. A partial line (tag `P`) has no newline of
 * its own: the next one goes on with it. What is no such line is passed over.
 */
export class LogFormatter {
  readonly #options: LogOptions;
  readonly #stream: string | undefined;
  #leftBytes: number;
  #continues = false;
  /** Lines come in the order of their times: after the first that is late enough, all are. */
  #isSince: boolean;

  constructor(options: LogOptions) {
    this.#options = options;
    const { stream = "All" } = options;
    this.#stream = stream === "All" ? undefined : stream.toLowerCase();
    this.#leftBytes = options.limitBytes ?? Infinity;
    this.#isSince = options.sinceMs === undefined;
  }

  /** Whether the limit of bytes is reached. */
  get full(): boolean {
    return this.#leftBytes <= 0;
  }

  /** What is to be sent for whole lines; never longer than they are. */
  format(lines: Buffer): Buffer {
    const out = Buffer.allocUnsafe(lines.length);
    let length = 0;
    for (let from = 0; from < lines.length;) {
      const end = lines.indexOf(newline, from);
      if (end < 0) break;
      length = this.#copyLine({ lines, from, end }, out, length);
      from = end + 1;
    }
    const part = out.subarray(0, Math.min(length, Math.max(0, this.#leftBytes)));
    this.#leftBytes -= part.length;
    return part;
  }

  /** Returns where the output ends after this line. */
  #copyLine({ lines, from, end }: Line, out: Buffer, length: number): number {
    const first = lines.indexOf(space, from);
    const second = lines.indexOf(space, first + 1);
    const third = lines.indexOf(space, second + 1);
    if (first < 0 || second < 0 || third < 0 || third > end) return length;
    if (!this.#isWanted(lines, { from, first, second })) return length;
    let at = length;
    const isPartial = lines[second + 1] === partialTag;
    // A line that goes on with another has the other's time.
    if (this.#options.timestamps && !this.#continues) {
      at += lines.copy(out, at, from, first + 1);
    }
    this.#continues = isPartial;
    return at + lines.copy(out, at, third + 1, isPartial ? end : end + 1);
  }

  #isWanted(lines: Buffer, { from, first, second }: Fields): boolean {
    if (this.#stream && lines.toString("latin1", first + 1, second) !== this.#stream) return false;
    const { sinceMs = 0 } = this.#options;
    this.#isSince ||= Date.parse(lines.toString("latin1", from, first)) >= sinceMs;
    return this.#isSince;
  }
}

interface Line {
  readonly lines: Buffer;
  readonly from: number;
  /** Of its newline. */
  readonly end: number;
}

interface Fields {
  readonly from: number;
  readonly first: number;
  readonly second: number;
}
