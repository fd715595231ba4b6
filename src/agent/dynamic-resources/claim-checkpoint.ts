import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "#base/log.ts";
import type { ClaimReference, PreparedDevice } from "#agent/dynamic-resources/dra-plugin.ts";

/** A claim that pods of this node use, prepared or about to be. */
export interface ClaimRecord extends ClaimReference {
  readonly podUids: readonly string[];
  /** By driver: all that have something in the claim, also those that prepare no device for it. */
  readonly drivers: Readonly<Record<string, readonly PreparedDevice[]>>;
}

/**
 * What is written down of claims before their drivers are asked for anything, so that what was prepared is given back
 * whatever happens to the agent or the machine.
 */
export class ClaimCheckpoint {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Throws when the file cannot be read: what drivers have prepared would stay so for ever. */
  read(): readonly ClaimRecord[] {
    try {
      const { claims } = JSON.parse(readFileSync(this.#file, "utf8")) as { claims?: ClaimRecord[] };
      if (claims === undefined) throw new Error("it has no claims");
      return claims;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
      const why = `Cannot read "${this.#file}": ${messageOf(cause)}; drain the node and remove the file`;
      throw new Error(why, { cause });
    }
  }

  /** On the disk when it returns. */
  write(claims: readonly ClaimRecord[]): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o750 });
    const written = openSync(`${this.#file}.new`, "w", 0o600);
    try {
      writeSync(written, JSON.stringify({ claims }));
      fsyncSync(written);
    } finally {
      closeSync(written);
    }
    renameSync(`${this.#file}.new`, this.#file);
  }
}
