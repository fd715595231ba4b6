import type { LogOptions } from "#agent/streams/process-streams.ts";

/** A line of a CRI log: `TIME STREAM TAG TEXT`. A partial one (tag `P`) has no newline of its own. */
export interface LogLine {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: string;
  readonly partial: boolean;
  readonly text: Buffer;
}

const space = 0x20;

/** Undefined where it is no such line. The line comes without its newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(space);
  const second = line.indexOf(space, first + 1);
  const third = line.indexOf(space, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  return {
    time: line.toString("latin1", 0, first),
    stream: line.toString("latin1", first + 1, second),
    partial: line.toString("latin1", second + 1, third).startsWith("P"),
    text: line.subarray(third + 1),
  };
}

/** Turns log lines into what was asked for; undefined once the limit of bytes is reached. */
export class LogFormatter {
  readonly #options: LogOptions;
  #leftBytes: number;
  #continues = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#leftBytes = options.limitBytes ?? Infinity;
  }

  /** What is to be sent for this line; empty where it is not wanted. */
  format(line: LogLine): Buffer | undefined {
    const { timestamps, sinceMs, stream = "All" } = this.#options;
    if (this.#leftBytes <= 0) return undefined;
    if (stream !== "All" && stream.toLowerCase() !== line.stream) return empty;
    if (sinceMs !== undefined && Date.parse(line.time) < sinceMs) return empty;
    const head = timestamps && !this.#continues ? Buffer.from(`${line.time} `) : empty;
    this.#continues = line.partial;
    const whole = Buffer.concat([head, line.text, line.partial ? empty : newline]);
    const part = whole.subarray(0, Math.min(whole.length, this.#leftBytes));
    this.#leftBytes -= part.length;
    return part;
  }

  get full(): boolean {
    return this.#leftBytes <= 0;
  }
}

const empty = Buffer.alloc(0);
const newline = Buffer.from("\n");
