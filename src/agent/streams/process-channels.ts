import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ProcessEnd, ProcessStreams, TerminalSize } from "#agent/streams/process-streams.ts";

/** The client's side of a process, whatever protocol it speaks. */
export interface ProcessChannels {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  onResize(listener: (size: TerminalSize) => void): void;
  /** Sends the error channel's text, then ends the connection after all that was written. */
  finish(endText: string): Promise<void>;
  /** Resolves when the connection is over. */
  readonly gone: Promise<void>;
}

/**
 * Joins a process to its client until the process has ended and the client has all its output, or the client is
 * gone; the process is let go of in any case.
 */
export async function serveProcess(
  process: ProcessStreams,
  channels: ProcessChannels,
  describeEnd: (end: ProcessEnd) => string,
): Promise<void> {
  channels.onResize((size) => process.resize(size));
  void copy(channels.stdin, process.stdin);
  const output = [copy(process.stdout, channels.stdout), copy(process.stderr, channels.stderr)];
  const served = Promise.all([process.ended, ...output]).then(([end]) =>
    channels.finish(describeEnd(end)),
  );
  try {
    await Promise.race([served, channels.gone]);
  } finally {
    process.close();
    served.catch(() => {});
  }
}

/** One side breaking off ends the copy; whether that matters is told by `ended` and `gone`. */
async function copy(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return void to?.end();
  if (to === undefined) return void from.resume();
  await pipeline(from, to).catch(() => {});
}
