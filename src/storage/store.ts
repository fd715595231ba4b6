/**
 * Revisioned keys and bytes: what every state of a cluster is kept in. One counter orders all writes; the store
 * knows nothing of what the bytes mean. Implementations: `createMemoryStore`, `openLmdbStore`, `openEtcdStore`; all
 * pass `storeConformance`.
 *
 * Keys are non-empty strings, ordered by UTF-16 code unit. They contain no NUL.
 */
export interface Store extends AsyncDisposable {
  /** The revision of the newest durable write; 0 when nothing was ever written. Never falls, also across a reopen. */
  revision(): Promise<number>;

  /** The oldest revision that can still be listed at or watched from. */
  compactedRevision(): Promise<number>;

  get(key: string): Promise<Entry | undefined>;

  /**
   * Entries in key order.
   * @throws CompactedError when `atRevision` was compacted, FutureRevisionError when it lies ahead
   */
  list(range: Range, options?: ListOptions): Promise<Listing>;

  /**
   * Writes when the key's present revision is `expected` (0: the key must not exist). Resolves once durable and
   * after every watcher has been handed the event, so that a reader that follows a watch reads its own writes. (A
   * watch whose connection to a remote store is broken follows when it stands again.)
   * @throws ValueTooLargeError, StoreUnavailableError
   */
  put(key: string, value: Uint8Array, expected: number): Promise<WriteResult>;

  /** Deletes when the key's present revision is `expected`. The event carries the last value. */
  delete(key: string, expected: number): Promise<WriteResult>;

  /**
   * Every write in the range after `fromRevision`, in order, without gaps; first those already there.
   * `signal` ends it. A watcher that falls more than the implementation's backlog behind gets a SlowWatcherError.
   * `onProgress` is called when there is nothing more to hand over up to a revision that others made: only by a store
   * that is shared, and some time after `revision()` has told of it.
   * @throws CompactedError when events after `fromRevision` are no longer known
   */
  watch(
    range: Range,
    fromRevision: number,
    signal: AbortSignal,
    onProgress?: (revision: number) => void,
  ): AsyncIterable<readonly StoreEvent[]>;

  /** The same events, handed over synchronously within the write that makes them. For the one cache above an embedded store. */
  subscribe?(range: Range, listener: (events: readonly StoreEvent[]) => void): Disposable;

  /** Forgets history before `revision`; present values stay. */
  compact(revision: number): Promise<void>;
}

/** Keys k with `start <= k < end`. An empty `end` means: no upper bound. */
export interface Range {
  readonly start: string;
  readonly end: string;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision of the write that made this value. */
  readonly revision: number;
}

export interface ListOptions {
  /** A past revision to read at; default the newest. */
  readonly atRevision?: number;
  readonly limit?: number;
}

export interface Listing {
  readonly entries: readonly Entry[];
  /** The revision this is a consistent picture of. */
  readonly revision: number;
  /** Whether entries remain after the last one returned; continue with `start` just after its key. */
  readonly more: boolean;
  /** How many entries remain, where that is cheap to know. */
  readonly remaining?: number;
}

export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  /** `current` is what is there instead; undefined when there is nothing. */
  | { readonly ok: false; readonly current: Entry | undefined };

export type StoreEvent =
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: Uint8Array;
      readonly previous: Entry | undefined;
      readonly revision: number;
    }
  | {
      readonly kind: "delete";
      readonly key: string;
      readonly previous: Entry;
      readonly revision: number;
    };

export class CompactedError extends Error {
  override readonly name = "CompactedError";
  readonly compactedRevision: number;
  constructor(compactedRevision: number) {
    super(`Cannot read history before revision ${compactedRevision}: it was compacted`);
    this.compactedRevision = compactedRevision;
  }
}

export class FutureRevisionError extends Error {
  override readonly name = "FutureRevisionError";
  readonly currentRevision: number;
  constructor(asked: number, currentRevision: number) {
    super(`Cannot read at revision ${asked}: the newest is ${currentRevision}`);
    this.currentRevision = currentRevision;
  }
}

export class SlowWatcherError extends Error {
  override readonly name = "SlowWatcherError";
}

/** A store on another machine does not answer. A write that ends so may have been carried out all the same. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}

export class ValueTooLargeError extends Error {
  override readonly name = "ValueTooLargeError";
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: string): Range {
  return { start: prefix, end: prefix === "" ? "" : afterPrefix(prefix) };
}

/** The smallest key after `key`. */
export function after(key: string): string {
  return `${key}\u0001`;
}

function afterPrefix(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
