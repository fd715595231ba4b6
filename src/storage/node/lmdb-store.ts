import { mkdirSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { checkKey, inRange } from "#storage/key.ts";
import { ByteBlocks } from "#storage/node/byte-blocks.ts";
import { lockDirectory } from "#storage/node/directory-lock.ts";
import { assertDatabase } from "#storage/node/lmdb-file.ts";
import { entryAt, openTables, presentRevisions } from "#storage/node/lmdb-tables.ts";
import { readEntry, readEvents, readProgress, readRecord } from "#storage/node/lmdb-tables.ts";
import type { Tables } from "#storage/node/lmdb-tables.ts";
import { LmdbWriter } from "#storage/node/lmdb-writer.ts";
import { pastStates } from "#storage/past.ts";
import type { Undo } from "#storage/past.ts";
import { CompactedError, FutureRevisionError } from "#storage/store.ts";
import type {
  Entry,
  Listing,
  ListOptions,
  Range,
  Store,
  StoreEvent,
  WriteResult,
} from "#storage/store.ts";
import { backlogMaxDefault, WatchHub } from "#storage/watch-hub.ts";

export interface LmdbStoreOptions {
  /** Made when it is not there; one process at a time holds it. */
  readonly directory: string;
  /** How many events a watcher may fall behind; default 10,000. */
  readonly backlogMax?: number;
}

/**
 * A store in files that survives a crash of process or machine at any moment. Keeps the byte arrays it is given
 * until they are written: do not change them.
 * @throws Error when another process holds the directory
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(options.directory);
  try {
    assertDatabase(options.directory);
    return new LmdbStore(openTables(options.directory), lock, options);
  } catch (error) {
    lock[Symbol.dispose]();
    throw new Error(`Cannot open the store in "${options.directory}"`, { cause: error });
  }
}

class LmdbStore implements Store {
  readonly #tables: Tables;
  readonly #lock: Disposable;
  readonly #hub: WatchHub;
  readonly #writer: LmdbWriter;
  #closing: Promise<void> | undefined;

  constructor(tables: Tables, lock: Disposable, options: LmdbStoreOptions) {
    this.#tables = tables;
    this.#lock = lock;
    this.#hub = new WatchHub({
      revision: readProgress(tables).revision,
      backlogMax: options.backlogMax ?? backlogMaxDefault,
      history: (from, to) => this.#history(from, to),
    });
    this.#writer = new LmdbWriter(options.directory, tables, (events) => this.#hub.publish(events));
  }

  async revision(): Promise<number> {
    this.#checkOpen();
    return readProgress(this.#tables).revision;
  }

  async compactedRevision(): Promise<number> {
    this.#checkOpen();
    return readProgress(this.#tables).compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen();
    checkKey(key);
    return readEntry(this.#tables, key);
  }

  /** Reads one snapshot in steps, with the event loop free in between. */
  async list(range: Range, options: ListOptions = {}): Promise<Listing> {
    this.#checkOpen();
    const snapshot = this.#tables.root.useReadTransaction();
    try {
      const { revision: newest, compacted } = readProgress(this.#tables, snapshot);
      const revision = options.atRevision ?? newest;
      if (revision > newest) throw new FutureRevisionError(revision, newest);
      if (revision < compacted) throw new CompactedError(compacted);
      const undo: Undo<number>[] = [];
      for (let since = revision + 1; since <= newest; since++) {
        const { key, previousRevision } = readRecord(this.#tables, since, snapshot);
        if (inRange(range, key)) undo.push({ key, before: previousRevision || undefined });
        if (since % stepMax === 0) await nextTurn();
      }
      const present = presentRevisions(this.#tables, range, snapshot);
      const states = undo.length === 0 ? present : pastStates(present, undo);
      const reading = { snapshot, blocks: new ByteBlocks() };
      const entries: Entry[] = [];
      for (const [key, at] of states) {
        if (entries.length === options.limit) return { entries, revision, more: true };
        entries.push(entryAt(this.#tables, key, at, reading));
        if (entries.length % stepMax === 0) await nextTurn();
      }
      return { entries, revision, more: false };
    } finally {
      snapshot.done();
    }
  }

  async put(key: string, value: Uint8Array, expected: number): Promise<WriteResult> {
    this.#checkOpen();
    checkKey(key);
    return this.#writer.write({ kind: "put", key, value, expected });
  }

  async delete(key: string, expected: number): Promise<WriteResult> {
    this.#checkOpen();
    checkKey(key);
    return this.#writer.write({ kind: "delete", key, expected });
  }

  watch(
    range: Range,
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly StoreEvent[]> {
    this.#checkOpen();
    return this.#hub.watch(range, fromRevision, signal);
  }

  subscribe(range: Range, listener: (events: readonly StoreEvent[]) => void): Disposable {
    this.#checkOpen();
    return this.#hub.subscribe(range, listener);
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    await this.#writer.compact(revision);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writer.close();
    this.#hub.close();
    await this.#tables.root.close();
    this.#lock[Symbol.dispose]();
  }

  #history(fromRevision: number, toRevision: number): readonly StoreEvent[] {
    this.#checkOpen();
    const { compacted } = readProgress(this.#tables);
    if (fromRevision < compacted) throw new CompactedError(compacted);
    return readEvents(this.#tables, fromRevision, toRevision);
  }

  #checkOpen(): void {
    if (this.#closing) throw new Error("Cannot use the store: it is closed");
  }
}

/** How many entries a list reads before it lets others run. */
const stepMax = 200;
