import { mkdirSync } from "node:fs";
import { open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type Block, Lines } from "#apiserver/node/audit/lines.ts";
import type { AuditBackend, AuditEvent } from "#apiserver/audit/event.ts";
import { legacyLine } from "#apiserver/audit/legacy-line.ts";

export interface AuditLogOptions {
  readonly path: string;
  readonly format: "json" | "legacy";
  /** A file that would grow beyond is renamed and a new one begun. */
  readonly maxBytes: number;
  /** How many renamed files stay; 0: all. */
  readonly maxBackups: number;
  /** How long a renamed file stays; 0: for ever. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told how many events were lost: the disk takes no more, or not fast enough. */
  readonly onLost: (count: number) => void;
}

/**
 * Appends a line for each event to a file, which is rotated. Events wait a moment so that many go in one write; when
 * the disk does not keep up, those beyond 64 MB are counted and lost rather than requests held up.
 * @throws when the file cannot be opened
 */
export async function openAuditLog(
  options: AuditLogOptions,
): Promise<AuditBackend & AsyncDisposable> {
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    const file = await openFile(options.path);
    return new AuditLog(options, file);
  } catch (cause) {
    throw new Error(`Cannot write the audit log ${options.path}`, { cause });
  }
}

interface OpenFile {
  readonly handle: FileHandle;
  sizeBytes: number;
}

async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, "a", 0o600);
  return { handle, sizeBytes: (await handle.stat()).size };
}

class AuditLog implements AuditBackend, AsyncDisposable {
  readonly #options: AuditLogOptions;
  #file: OpenFile;
  readonly #lines = new Lines();
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #isFailing = false;

  constructor(options: AuditLogOptions, file: OpenFile) {
    this.#options = options;
    this.#file = file;
  }

  record(event: AuditEvent): void {
    if (this.#lines.waitingBytes > waitingBytesMax) return this.#options.onLost(1);
    const { format } = this.#options;
    this.#lines.add(format === "json" ? JSON.stringify(event) : legacyLine(event));
    if (this.#writing !== undefined || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#options.clock.after(gatherMs, () => this.#start());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (!this.#lines.isEmpty || this.#writing !== undefined) {
      if (this.#writing === undefined) this.#start();
      await this.#writing;
    }
    await this.#file.handle.close();
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#writing = this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    while (!this.#lines.isEmpty) {
      for (const block of this.#lines.take()) await this.#writeOrLose(block);
    }
  }

  async #writeOrLose({ bytes, count }: Block): Promise<void> {
    try {
      await this.#write(bytes);
      this.#isFailing = false;
    } catch (error) {
      this.#options.onLost(count);
      if (!this.#isFailing) this.#options.log.error("audit log was not written", { error });
      this.#isFailing = true;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { sizeBytes } = this.#file;
    if (sizeBytes > 0 && sizeBytes + bytes.length > this.#options.maxBytes) await this.#rotate();
    await this.#file.handle.appendFile(bytes);
    this.#file.sizeBytes += bytes.length;
  }

  async #rotate(): Promise<void> {
    const { path, clock } = this.#options;
    await this.#file.handle.close();
    await rename(path, backupPath(path, clock.now()));
    this.#file = await openFile(path);
    await this.#removeOld();
  }

  async #removeOld(): Promise<void> {
    const { path, maxBackups, maxAgeMs, clock } = this.#options;
    const backups = await backupsOf(path);
    const kept = maxBackups === 0 ? backups.length : maxBackups;
    for (const [age, file] of backups.toReversed().entries()) {
      const isOld = maxAgeMs > 0 && (await stat(file)).mtimeMs < clock.now() - maxAgeMs;
      if (age >= kept || isOld) await rm(file, { force: true });
    }
  }
}

const gatherMs = 25;
const waitingBytesMax = 64 * 1024 * 1024;

/** `audit-2026-01-31T10-15-00.000.log` beside `audit.log`, as upstream's rotation names them. */
function backupPath(path: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(0, 23).replaceAll(":", "-");
  const extension = extname(path);
  return join(dirname(path), `${basename(path, extension)}-${time}${extension}`);
}

/** The oldest first. */
async function backupsOf(path: string): Promise<readonly string[]> {
  const extension = extname(path);
  const start = `${basename(path, extension)}-`;
  const isBackup = (name: string): boolean =>
    name.startsWith(start) &&
    name.endsWith(extension) &&
    /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/.test(
      name.slice(start.length, name.length - extension.length),
    );
  const names = (await readdir(dirname(path))).filter(isBackup);
  return names.toSorted().map((name) => join(dirname(path), name));
}
