import { encodeKey } from "#storage/node/key-bytes.ts";
import { encodeProgress, encodeRecord } from "#storage/node/lmdb-records.ts";
import { encodeRevision } from "#storage/node/lmdb-records.ts";
import type { Progress } from "#storage/node/lmdb-records.ts";
import { progressKey, readEntry, readEvents, readProgress } from "#storage/node/lmdb-tables.ts";
import { readRecord } from "#storage/node/lmdb-tables.ts";
import type { Tables } from "#storage/node/lmdb-tables.ts";
import { FutureRevisionError } from "#storage/store.ts";
import { writeError } from "#storage/node/write-error.ts";
import type { Entry, StoreEvent, WriteResult } from "#storage/store.ts";

export type Write =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: Uint8Array;
      readonly expected: number;
    }
  | { readonly kind: "delete"; readonly key: string; readonly expected: number };

/**
 * The one writer of the tables. Writes queue up while a commit is on its way to the disk; the next commit takes
 * them together. Each is decided against what the ones before it leave, so compare-and-swap needs no lock.
 */
export class LmdbWriter {
  readonly #directory: string;
  readonly #tables: Tables;
  readonly #publish: (events: readonly StoreEvent[]) => void;
  #progress: Progress;
  #queue: Queued[] = [];
  #running: Promise<void> | undefined;
  readonly #compactions: Compaction[] = [];
  #closing = false;

  constructor(directory: string, tables: Tables, publish: (events: readonly StoreEvent[]) => void) {
    this.#directory = directory;
    this.#tables = tables;
    this.#publish = publish;
    this.#progress = readProgress(tables);
  }

  write(write: Write): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves once the disk space is free for new writes; reads refuse the past from the first step on. */
  async compact(revision: number): Promise<void> {
    if (revision > this.#progress.revision) {
      throw new FutureRevisionError(revision, this.#progress.revision);
    }
    await new Promise<void>((resolve, reject) => {
      this.#compactions.push({ revision, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Finishes the writes asked for; a compaction stops after its present step and goes on with the next one. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Gathers the writes of this turn.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#compactions.length > 0) {
      if (this.#queue.length > 0) await this.#commit(takeBatch(this.#queue));
      await this.#compactStep();
    }
    this.#running = undefined;
  }

  async #commit(batch: readonly Queued[]): Promise<void> {
    try {
      const decided = decide(this.#tables, this.#progress.revision, batch);
      if (decided.events.length > 0) await this.#save(decided.events);
      batch.forEach(({ resolve }, at) => resolve(decided.results[at] as WriteResult));
    } catch (error) {
      for (const { write, reject } of batch) {
        reject(await writeError(`write "${write.key}"`, this.#directory, error));
      }
    }
  }

  async #save(events: readonly StoreEvent[]): Promise<void> {
    const { log, keys } = this.#tables;
    const revision = events.at(-1)?.revision ?? 0;
    await this.#transact({ revision }, () => {
      for (const event of events) {
        const { key, revision: at } = event;
        quiet(log.put(encodeRevision(at), encodeRecord(recordOf(event), encodeKey(key))));
        if (event.kind === "put") quiet(keys.put(key, at));
        else quiet(keys.remove(key));
      }
    });
    this.#publish(events);
  }

  /** One commit's worth of the oldest compaction asked for; writes take turns with it. */
  async #compactStep(): Promise<void> {
    const [first] = this.#compactions;
    if (first === undefined) return;
    const compacted = Math.max(first.revision, this.#progress.compacted);
    try {
      if (!this.#closing && this.#progress.cleaned < compacted) await this.#clean(compacted);
      if (!this.#closing && this.#progress.cleaned < compacted) return;
      first.resolve();
    } catch (error) {
      first.reject(await writeError(`compact to revision ${compacted}`, this.#directory, error));
    }
    this.#compactions.shift();
  }

  /** Removes what the next writes up to `compacted` superseded. */
  async #clean(compacted: number): Promise<void> {
    const cleaned = Math.min(this.#progress.cleaned + cleanMax, compacted);
    const superseded = this.#superseded(this.#progress.cleaned, cleaned);
    await this.#transact({ compacted, cleaned }, () => {
      for (const old of superseded) quiet(this.#tables.log.remove(encodeRevision(old)));
    });
  }

  #superseded(from: number, to: number): readonly number[] {
    const superseded: number[] = [];
    for (let revision = from + 1; revision <= to; revision++) {
      const { kind, previousRevision } = readRecord(this.#tables, revision);
      if (previousRevision > 0) superseded.push(previousRevision);
      if (kind === "delete") superseded.push(revision);
    }
    return superseded;
  }

  async #transact(change: Partial<Progress>, act: () => void): Promise<void> {
    const { root, meta } = this.#tables;
    const progress = { ...this.#progress, ...change };
    try {
      await root.batch(() => {
        act();
        quiet(meta.put(progressKey, encodeProgress(progress)));
      });
    } catch (error) {
      this.#resume();
      throw error;
    } finally {
      root.resetReadTxn();
    }
    this.#progress = progress;
  }

  /** A commit that failed late may be on the disk all the same: then watchers must learn of it. */
  #resume(): void {
    this.#tables.root.resetReadTxn();
    const before = this.#progress.revision;
    this.#progress = readProgress(this.#tables);
    if (this.#progress.revision > before) {
      this.#publish(readEvents(this.#tables, before, this.#progress.revision));
    }
  }
}

interface Queued {
  readonly write: Write;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Compaction {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How many writes share a commit, and how many bytes; bounds the time spent deciding them. */
const batchMax = 256;
const batchBytesMax = 8 << 20;

/** How many revisions one step of a compaction looks at. */
const cleanMax = 200;

function takeBatch(queue: Queued[]): readonly Queued[] {
  let bytes = 0;
  let count = 0;
  while (count < Math.min(queue.length, batchMax) && bytes < batchBytesMax) {
    const write = queue[count++]?.write;
    if (write?.kind === "put") bytes += write.value.length;
  }
  return queue.splice(0, count);
}

interface Decided {
  readonly results: readonly WriteResult[];
  readonly events: readonly StoreEvent[];
}

function decide(tables: Tables, revision: number, batch: readonly Queued[]): Decided {
  const results: WriteResult[] = [];
  const events: StoreEvent[] = [];
  const changed = new Map<string, Entry | undefined>();
  for (const { write } of batch) {
    const { key, expected } = write;
    const previous = changed.has(key) ? changed.get(key) : readEntry(tables, key);
    const event =
      (previous?.revision ?? 0) === expected
        ? eventOf(write, previous, revision + events.length + 1)
        : undefined;
    if (event === undefined) {
      results.push({ ok: false, current: previous });
      continue;
    }
    events.push(event);
    const { revision: at } = event;
    changed.set(key, event.kind === "put" ? { key, value: event.value, revision: at } : undefined);
    results.push({ ok: true, revision: at });
  }
  return { results, events };
}

/** Undefined for a delete of what is not there. */
function eventOf(
  write: Write,
  previous: Entry | undefined,
  revision: number,
): StoreEvent | undefined {
  const { kind, key } = write;
  if (kind === "put") return { kind, key, value: write.value, previous, revision };
  return previous && { kind, key, previous, revision };
}

function recordOf(event: StoreEvent) {
  return {
    kind: event.kind,
    key: event.key,
    previousRevision: event.previous?.revision ?? 0,
    value: event.kind === "put" ? event.value : noBytes,
  };
}

const noBytes = new Uint8Array();

/** The batch around a write tells its failure; the write's own promise would only add an unhandled rejection. */
function quiet(part: Promise<boolean>): void {
  if (part === lastQuiet) return;
  lastQuiet = part;
  part.catch(() => undefined);
}

/** lmdb hands out one promise for many writes. */
let lastQuiet: Promise<boolean> | undefined;
