import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { LogFormatter } from "#agent/logs/log-lines.ts";
import type { LogOptions } from "#agent/streams/process-streams.ts";

const chunkBytes = 256 * 1024;
const newline = 0x0a;

export interface FollowedLog {
  readonly path: string;
  /** Whether more can come; asked when the end is reached. */
  readonly isRunning: () => Promise<boolean>;
  /** Calls back when the container ended. */
  readonly onEnd: (act: () => void) => Disposable;
}

/** Reads a container's log file as asked; follows it through rotation until the container has ended. */
export async function* readLogFile(
  log: FollowedLog,
  options: LogOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const formatter = new LogFormatter(options);
  let file = await open(log.path);
  try {
    let position = await startOf(file, options.tailLines);
    let isMoved = false;
    for (;;) {
      for await (const lines of readLines(file, position)) {
        position += lines.length;
        const part = formatter.format(lines);
        if (part.length > 0) yield part;
        if (formatter.full) return;
      }
      if (!options.follow || options.signal.aborted) return;
      if (isMoved) {
        await file.close();
        file = await open(log.path);
        position = 0;
        isMoved = false;
        continue;
      }
      // What was written while the new file was begun is still in the old one: that is read to its end once more.
      isMoved = await isRotated(file, log.path, position);
      if (isMoved) continue;
      const alive = await log.isRunning();
      const grown = (await file.stat()).size > position;
      if (grown) continue;
      if (!alive) return;
      await changed(log, { file, position, signal: options.signal });
    }
  } finally {
    await file.close();
  }
}

/** Where the last `tailLines` lines begin: found from the end, chunk by chunk. */
async function startOf(file: FileHandle, tailLines: number | undefined): Promise<number> {
  if (tailLines === undefined) return 0;
  const { size } = await file.stat();
  if (tailLines === 0) return size;
  let found = 0;
  for (let end = size; end > 0; end -= chunkBytes) {
    const start = Math.max(0, end - chunkBytes);
    const chunk = await readAt(file, start, end - start);
    for (let at = chunk.length - 1; at >= 0; at -= 1) {
      if (chunk[at] !== newline || start + at === size - 1) continue;
      found += 1;
      if (found === tailLines) return start + at + 1;
    }
  }
  return 0;
}

/** Whole lines from `start` on, as many at a time as are read at once. */
async function* readLines(file: FileHandle, start: number): AsyncGenerator<Buffer> {
  let position = start;
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await readAt(file, position + rest.length, chunkBytes);
    if (chunk.length === 0) return;
    const read = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = read.lastIndexOf(newline) + 1;
    if (end > 0) yield read.subarray(0, end);
    position += end;
    rest = read.subarray(end);
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Whether the log's name is now another file's, or the file is shorter than what was read of it. */
async function isRotated(file: FileHandle, path: string, position: number): Promise<boolean> {
  const [held, named] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return named !== undefined && (held.ino !== named.ino || held.size < position);
}

/** Resolves when the log's folder changes, the container ends, or nobody listens any more. */
async function changed(
  log: FollowedLog,
  read: { readonly file: FileHandle; readonly position: number; readonly signal: AbortSignal },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const name = basename(log.path);
  const watcher = watch(dirname(log.path), (_, file) => {
    if (file === null || file === name) resolve();
  });
  watcher.on("error", () => resolve());
  using _ended = log.onEnd(resolve);
  read.signal.addEventListener("abort", () => resolve(), { once: true });
  try {
    // What came between the last look and the watch would be missed.
    if ((await read.file.stat()).size > read.position || read.signal.aborted) return;
    await promise;
  } finally {
    watcher.close();
  }
}
