import { randomFillSync } from "node:crypto";
import { type FileHandle, mkdir, open, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { DiskSpace } from "#agent/node/machine-usage.ts";

const mebi = 1024 ** 2;
const bytesMax = 16 * mebi;
/** It is taken only from a disk that has this many times as much. */
const ampleTimes = 10;

/**
 * A file that only takes room: given back when the disk has none left. Without any, the runtime cannot note that a
 * container has ended, and what fills the disk cannot be removed.
 */
export class DiskReserve {
  readonly #path: string;
  readonly #space: () => Promise<DiskSpace>;
  #isHeld = false;

  constructor(path: string, space: () => Promise<DiskSpace>) {
    this.#path = path;
    this.#space = space;
  }

  /** Takes the room where there is plenty. */
  async hold(): Promise<void> {
    if (this.#isHeld) return;
    const { capacityBytes, availableBytes } = await this.#space();
    const bytes = Math.min(bytesMax, Math.floor(capacityBytes / 100));
    const found = await stat(this.#path).catch(() => undefined);
    if (found?.size !== bytes) {
      if (availableBytes < bytes * ampleTimes) return;
      await this.#write(bytes);
    }
    this.#isHeld = true;
  }

  async release(): Promise<void> {
    this.#isHeld = false;
    await rm(this.#path, { force: true });
  }

  async #write(bytes: number): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(this.#path, "w", 0o600);
    try {
      await fill(file, bytes);
    } catch (error) {
      await rm(this.#path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }
}

/** With bytes that no file system can store in less room. */
async function fill(file: FileHandle, bytes: number): Promise<void> {
  const block = Buffer.alloc(Math.min(mebi, bytes));
  for (let left = bytes; left > 0; left -= block.length) {
    randomFillSync(block);
    await file.writeFile(block.subarray(0, left));
  }
}
