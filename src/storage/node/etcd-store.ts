import type { ServiceError } from "@grpc/grpc-js";
import { sleep, systemClock, type Clock } from "#base/clock.ts";
import { silentLog, type Log } from "#base/log.ts";
import { checkKey } from "#storage/key.ts";
import { EtcdConnection, type EtcdAccess } from "#storage/node/etcd/etcd-connection.ts";
import { isCompacted, isFuture, storeError } from "#storage/node/etcd/etcd-errors.ts";
import { EtcdKeys, etcdRevision, storeRevision } from "#storage/node/etcd/etcd-keys.ts";
import type { RangeAnswer } from "#storage/node/etcd/etcd-messages.ts";
import { swap, type Swap } from "#storage/node/etcd/etcd-swap.ts";
import { EtcdWatch } from "#storage/node/etcd/etcd-watch.ts";
import { Room } from "#storage/node/etcd/room.ts";
import { Shared } from "#storage/node/etcd/shared.ts";
import { CompactedError, FutureRevisionError, StoreUnavailableError } from "#storage/store.ts";
import type {
  Entry,
  Listing,
  ListOptions,
  Range,
  Store,
  StoreEvent,
  WriteResult,
} from "#storage/store.ts";
import { backlogMaxDefault } from "#storage/watch-hub.ts";

export interface EtcdStoreOptions extends EtcdAccess {
  /** What stands before every key; stores with different ones do not see each other. Default `/kogge`. */
  readonly prefix?: string;
  /** How many events a watcher may fall behind; default 10,000. */
  readonly backlogMax?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  /** How long to wait for a first answer; default a minute. */
  readonly openTimeoutMs?: number;
  /** Told once when there is no answer at first. */
  readonly onWaiting?: (why: string) => void;
}

/**
 * A store in an etcd cluster (3.4 or later), which several servers may use at once. Writes by others take part in
 * the one order of revisions, also those to keys outside the prefix.
 * @throws Error when no member answers within the time, or when etcd refuses this client
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const store = new EtcdStore(options);
  try {
    await firstAnswer(store, options);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  return store;
}

async function firstAnswer(store: EtcdStore, options: EtcdStoreOptions): Promise<void> {
  const { clock = systemClock, openTimeoutMs = openTimeoutDefaultMs, endpoints } = options;
  const endMs = clock.now() + openTimeoutMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await store.probe();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      if (clock.now() > endMs) {
        const seconds = openTimeoutMs / 1_000;
        const message = `Cannot open the store in etcd at ${endpoints.join(", ")}: no answer in ${seconds} s`;
        throw new Error(message, { cause: error });
      }
      if (attempt === 0) options.onWaiting?.(error.message);
      await sleep(clock, probeIntervalMs);
    }
  }
}

const openTimeoutDefaultMs = 60_000;
const probeIntervalMs = 500;

class EtcdStore implements Store {
  readonly #connection: EtcdConnection;
  readonly #keys: EtcdKeys;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #backlogMax: number;
  readonly #watches = new Set<EtcdWatch>();
  readonly #writing = new Room(writesMax);
  readonly #revision = new Shared(() => this.#readRevision());
  /** At least so much is compacted. */
  #compacted = 0;
  #isMarking = false;
  #closed = false;

  constructor(options: EtcdStoreOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#backlogMax = options.backlogMax ?? backlogMaxDefault;
    this.#keys = new EtcdKeys(options.prefix ?? "/kogge");
    this.#connection = new EtcdConnection(options, this.#clock);
  }

  async probe(): Promise<void> {
    await this.#range("open the store", this.#keys.mark, { countOnly: true }, probeTimeoutMs);
  }

  async revision(): Promise<number> {
    this.#checkOpen();
    return this.#revision.get();
  }

  /** etcd does not tell it, but refuses to read below it. */
  async compactedRevision(): Promise<number> {
    this.#checkOpen();
    let low = this.#compacted;
    if (await this.#isReadable(low)) return low;
    let high = await this.revision();
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await this.#isReadable(middle)) high = middle;
      else low = middle;
    }
    return (this.#compacted = high);
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen();
    checkKey(key);
    const { kvs } = await this.#range(`read "${key}"`, this.#keys.key(key), {});
    return kvs[0] && this.#keys.entry(kvs[0]);
  }

  async list(range: Range, options: ListOptions = {}): Promise<Listing> {
    this.#checkOpen();
    const limit = options.limit ?? Infinity;
    const entries: Entry[] = [];
    const { rangeEnd, key: first } = this.#keys.range(range);
    let revision = options.atRevision;
    for (let key = first; ;) {
      const page = await this.#page(key, {
        rangeEnd,
        limit: Math.min(pageMax, limit - entries.length),
        revision,
      });
      revision ??= storeRevision(page.header.revision);
      for (const pair of page.kvs) entries.push(this.#keys.entry(pair));
      const last = page.kvs.at(-1);
      const more = page.more && last !== undefined;
      if (!more || entries.length >= limit) {
        const remaining = Math.max(0, page.count - page.kvs.length);
        return { entries, revision, more, ...(more && { remaining }) };
      }
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  put(key: string, value: Uint8Array, expected: number): Promise<WriteResult> {
    return this.#write({ key, value, expected });
  }

  delete(key: string, expected: number): Promise<WriteResult> {
    if (expected === 0) return this.#missing(key);
    return this.#write({ key, value: undefined, expected });
  }

  async *watch(
    range: Range,
    fromRevision: number,
    signal: AbortSignal,
    onProgress?: (revision: number) => void,
  ): AsyncGenerator<readonly StoreEvent[]> {
    this.#checkOpen();
    if (signal.aborted) return;
    const watch = new EtcdWatch(
      {
        connection: this.#connection,
        keys: this.#keys,
        clock: this.#clock,
        log: this.#log,
        backlogMax: this.#backlogMax,
        revision: () => this.#revision.get(),
      },
      { range, fromRevision, onProgress },
    );
    const abort = (): void => watch.stop("aborted");
    signal.addEventListener("abort", abort, { once: true });
    this.#watches.add(watch);
    try {
      yield* watch.events();
    } finally {
      signal.removeEventListener("abort", abort);
      this.#watches.delete(watch);
      watch.stop("aborted");
    }
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision <= this.#compacted) return;
    try {
      await this.#connection.call("KV/Compact", { revision: etcdRevision(revision) });
    } catch (error) {
      const problem = error as ServiceError;
      if (isFuture(problem)) throw new FutureRevisionError(revision, await this.revision());
      // Another server was faster.
      if (isCompacted(problem)) return;
      throw storeError("compact the store", problem);
    }
    this.#compacted = Math.max(this.#compacted, revision);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#writing.empty();
    for (const watch of this.#watches) watch.stop("ended");
    this.#connection[Symbol.dispose]();
  }

  async #write(write: Swap): Promise<WriteResult> {
    this.#checkOpen();
    checkKey(write.key);
    return this.#writing.run(async () => {
      const result = await swap(this.#connection, this.#keys, write);
      if (result.ok) await this.#handOver(result.revision);
      return result;
    });
  }

  async #missing(key: string): Promise<WriteResult> {
    return { ok: false, current: await this.get(key) };
  }

  /** Waits until the watches of this process have the write, and gives their readers a turn to take it. */
  async #handOver(revision: number): Promise<void> {
    const late = [...this.#watches].filter((watch) => watch.position < revision);
    if (late.length === 0) return nextTurn();
    const wait = new AbortController();
    const arrived = Promise.all(late.map((watch) => watch.reaches(revision)));
    await Promise.race([arrived, sleep(this.#clock, handOverMaxMs, wait.signal).catch(() => {})]);
    wait.abort();
    await nextTurn();
  }

  async #readRevision(): Promise<number> {
    const action = "read the newest revision";
    const { header } = await this.#range(action, this.#keys.mark, { countOnly: true });
    const revision = storeRevision(header.revision);
    this.#markWhenLate(revision);
    return revision;
  }

  /**
   * When others moved the revision by writes that no watch here sees, one write of our own brings the watches past
   * it. (etcd's own progress answers may overtake events before 3.4.25.)
   */
  #markWhenLate(revision: number): void {
    const isLate = (): boolean => [...this.#watches].some((watch) => watch.position < revision);
    if (this.#isMarking || !isLate()) return;
    this.#isMarking = true;
    this.#clock.after(markDelayMs, () => {
      if (!isLate() || this.#closed) {
        this.#isMarking = false;
        return;
      }
      this.#connection
        .call("KV/Put", { key: this.#keys.mark, value: Buffer.alloc(0) })
        .catch((error: unknown) => this.#log.warn("progress was not marked", { error }))
        .finally(() => (this.#isMarking = false));
    });
  }

  async #isReadable(revision: number): Promise<boolean> {
    try {
      const at = { revision: etcdRevision(revision), countOnly: true };
      await this.#ask(this.#keys.mark, at);
      return true;
    } catch (error) {
      if (isCompacted(error as ServiceError)) return false;
      throw storeError("read the compacted revision", error as ServiceError);
    }
  }

  async #page(key: Buffer, { rangeEnd, limit, revision }: Page): Promise<RangeAnswer> {
    const at = revision === undefined ? 0 : etcdRevision(revision);
    try {
      return await this.#ask(key, { rangeEnd, limit, revision: at });
    } catch (error) {
      const problem = error as ServiceError;
      if (isFuture(problem)) throw new FutureRevisionError(revision ?? 0, await this.revision());
      if (isCompacted(problem)) throw new CompactedError(await this.compactedRevision());
      throw storeError("list the store", problem);
    }
  }

  async #range(
    action: string,
    key: Buffer,
    options: object,
    totalMs?: number,
  ): Promise<RangeAnswer> {
    try {
      return await this.#ask(key, options, totalMs);
    } catch (error) {
      throw storeError(action, error as ServiceError);
    }
  }

  #ask(key: Buffer, options: object, totalMs?: number): Promise<RangeAnswer> {
    return this.#connection.call<RangeAnswer>(
      "KV/Range",
      { key, ...options },
      totalMs === undefined ? {} : { totalMs },
    );
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error("Cannot use the store: it is closed");
  }
}

interface Page {
  readonly rangeEnd: Buffer;
  readonly limit: number;
  readonly revision: number | undefined;
}

/** How many entries are asked for at once, so that no answer grows without bounds. */
const pageMax = 1_000;
/** How many writes are on their way to etcd at once; more wait here. */
const writesMax = 256;
const handOverMaxMs = 1_000;
const markDelayMs = 50;
const probeTimeoutMs = 2_000;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
