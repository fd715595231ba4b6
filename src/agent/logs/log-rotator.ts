import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { durationMs, type NodeSettings, quantityBytes } from "#agent/node/node-settings.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

export interface RunningLog {
  readonly containerId: string;
  readonly path: string;
}

export interface LogRotatorParts {
  readonly runtime: Pick<ContainerRuntime, "reopenLog">;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: Pick<
    NodeSettings,
    "containerLogMaxSize" | "containerLogMaxFiles" | "containerLogMonitorInterval"
  >;
  /** The logs that are being written. */
  readonly logs: () => readonly RunningLog[];
}

/** A log that grows quickly is looked at again so soon. */
const hurryMs = 1000;

/**
 * Keeps the logs of running containers short, as kubelet does: one that is too long is moved away and a new one begun;
 * all but the latest of those moved away are packed, and the oldest go. Watching a log would cost more than it saves,
 * since every line would be an event: the sizes are asked for every few seconds, more often while one grows quickly.
 */
export class LogRotator implements Disposable {
  readonly #parts: LogRotatorParts;
  readonly #sizes = new Map<string, number>();
  #cancel: () => void = () => {};
  #ended = false;

  constructor(parts: LogRotatorParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#later(durationMs(this.#parts.settings.containerLogMonitorInterval));
  }

  /** Looks at every log once; true when one of them should be looked at again soon. */
  async look(): Promise<boolean> {
    const logs = this.#parts.logs();
    const limitBytes = quantityBytes(this.#parts.settings.containerLogMaxSize);
    let hurries = false;
    for (const one of logs) {
      const size = (await stat(one.path).catch(() => undefined))?.size ?? 0;
      const grownBytes = size - (this.#sizes.get(one.path) ?? size);
      this.#sizes.set(one.path, size);
      if (grownBytes > limitBytes / 10) hurries = true;
      if (size >= limitBytes) await this.#rotate(one);
    }
    const paths = new Set(logs.map(({ path }) => path));
    for (const path of this.#sizes.keys()) if (!paths.has(path)) this.#sizes.delete(path);
    return hurries;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#cancel();
  }

  #later(delayMs: number): void {
    this.#cancel = this.#parts.clock.after(delayMs, () => {
      const usualMs = durationMs(this.#parts.settings.containerLogMonitorInterval);
      void this.look().then((hurries) => {
        if (!this.#ended) this.#later(hurries ? Math.min(hurryMs, usualMs) : usualMs);
      });
    });
  }

  async #rotate({ containerId, path }: RunningLog): Promise<void> {
    const { runtime, log, clock, settings } = this.#parts;
    try {
      await tidy(path, settings.containerLogMaxFiles);
      const moved = `${path}.${stamp(clock.now())}`;
      // Names have whole seconds: a second rotation in one would overwrite the first.
      if (await stat(moved).catch(() => undefined)) return;
      await rename(path, moved);
      try {
        await runtime.reopenLog(containerId);
        this.#sizes.set(path, 0);
      } catch (error) {
        // The container goes on writing to the file that it has: that must have its name again.
        await rename(moved, path);
        throw error;
      }
    } catch (error) {
      log.warn("container's log not rotated", { path, reason: messageOf(error) });
    }
  }
}

/** The files that a log was moved to, the oldest first. */
export async function rotatedLogs(path: string): Promise<readonly string[]> {
  const name = `${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .filter((other) => other.startsWith(name))
    .toSorted()
    .map((other) => `${dirname(path)}/${other}`);
}

/** Makes room for one more: of `filesMax`, one is the log itself and one is about to be moved away. */
async function tidy(path: string, filesMax: number): Promise<void> {
  const found = await rotatedLogs(path);
  const isLeftOver = (file: string): boolean =>
    file.endsWith(".tmp") || found.includes(`${file}.gz`);
  for (const file of found.filter(isLeftOver)) await rm(file, { force: true });
  const kept = found.filter((file) => !isLeftOver(file));
  const excess = kept.slice(0, Math.max(0, kept.length - Math.max(0, filesMax - 2)));
  for (const file of excess) await rm(file, { force: true });
  for (const file of kept.slice(excess.length)) if (!file.endsWith(".gz")) await pack(file);
}

async function pack(file: string): Promise<void> {
  const unfinished = `${file}.tmp`;
  await pipeline(
    createReadStream(file),
    createGzip(),
    createWriteStream(unfinished, { mode: 0o640 }),
  );
  await rename(unfinished, `${file}.gz`);
  await rm(file);
}

/** `20260102-150405`, in UTC. */
function stamp(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
}
