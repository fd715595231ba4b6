import { checkKey, inRange } from "#storage/key.ts";
import { pastStates } from "#storage/past.ts";
import { SortedKeys } from "#storage/sorted-keys.ts";
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

export interface MemoryStoreOptions {
  /** How many events a watcher may fall behind; default 10,000. */
  readonly backlogMax?: number;
}

/** A store that lives as long as its process. Keeps the byte arrays it is given: do not change them afterwards. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>();
  readonly #keys = new SortedKeys();
  readonly #hub: WatchHub;
  /** Every write after the compacted revision; revisions have no gaps, so the revision gives the place. */
  #log: StoreEvent[] = [];
  #compacted = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.#hub = new WatchHub({
      revision: 0,
      backlogMax: options.backlogMax ?? backlogMaxDefault,
      history: (from, to) => this.#history(from, to),
    });
  }

  async revision(): Promise<number> {
    return this.#revision;
  }

  async compactedRevision(): Promise<number> {
    return this.#compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen();
    return this.#entries.get(key);
  }

  async list(range: Range, options: ListOptions = {}): Promise<Listing> {
    this.#checkOpen();
    const revision = options.atRevision ?? this.#revision;
    const states = revision === this.#revision ? this.#present(range) : this.#past(range, revision);
    const entries: Entry[] = [];
    for (const [, entry] of states) {
      if (entries.length === options.limit) return { entries, revision, more: true };
      entries.push(entry);
    }
    return { entries, revision, more: false };
  }

  async put(key: string, value: Uint8Array, expected: number): Promise<WriteResult> {
    this.#checkOpen();
    checkKey(key);
    const previous = this.#entries.get(key);
    if ((previous?.revision ?? 0) !== expected) return { ok: false, current: previous };
    const revision = this.#revision + 1;
    if (previous === undefined) this.#keys.add(key);
    this.#entries.set(key, { key, value, revision });
    this.#record({ kind: "put", key, value, previous, revision });
    return { ok: true, revision };
  }

  async delete(key: string, expected: number): Promise<WriteResult> {
    this.#checkOpen();
    const previous = this.#entries.get(key);
    if (previous === undefined || previous.revision !== expected) {
      return { ok: false, current: previous };
    }
    const revision = this.#revision + 1;
    this.#entries.delete(key);
    this.#keys.remove(key);
    this.#record({ kind: "delete", key, previous, revision });
    return { ok: true, revision };
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
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision <= this.#compacted) return;
    this.#log = this.#log.slice(revision - this.#compacted);
    this.#compacted = revision;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#hub.close();
  }

  get #revision(): number {
    return this.#compacted + this.#log.length;
  }

  #record(event: StoreEvent): void {
    this.#log.push(event);
    this.#hub.publish([event]);
  }

  *#present(range: Range): Generator<readonly [string, Entry]> {
    for (const key of this.#keys.from(range.start)) {
      if (!inRange(range, key)) return;
      const entry = this.#entries.get(key);
      if (entry !== undefined) yield [key, entry];
    }
  }

  #past(range: Range, revision: number): Iterable<readonly [string, Entry]> {
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    const undo = this.#history(revision, this.#revision)
      .filter((event) => inRange(range, event.key))
      .map((event) => ({ key: event.key, before: event.previous }));
    return pastStates(this.#present(range), undo);
  }

  #history(fromRevision: number, toRevision: number): readonly StoreEvent[] {
    if (fromRevision < this.#compacted) throw new CompactedError(this.#compacted);
    return this.#log.slice(fromRevision - this.#compacted, toRevision - this.#compacted);
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error("Cannot use the store: it is closed");
  }
}
