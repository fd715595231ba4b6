import { invariant } from "#base/invariant.ts";
import type { Sealing } from "#apiserver/encryption/sealer.ts";
import type {
  Entry,
  Listing,
  ListOptions,
  Range,
  Store,
  StoreEvent,
  WriteResult,
} from "#storage/store.ts";

/**
 * The same store with values sealed on their way in and opened on their way out. `sealing` is asked each time, so
 * that keys may change while it is used. Disposing of it closes the store below.
 */
export function createEncryptedStore(store: Store, sealing: () => Sealing): Store {
  return store.subscribe === undefined
    ? new EncryptedStore(store, sealing)
    : new SubscribedEncryptedStore(store, sealing);
}

class EncryptedStore implements Store {
  protected readonly store: Store;
  readonly #sealing: () => Sealing;
  /** What was sealed a moment ago comes back in an event: it need not be opened. */
  readonly #fresh = new WeakMap<Uint8Array, Uint8Array>();

  constructor(store: Store, sealing: () => Sealing) {
    this.store = store;
    this.#sealing = sealing;
  }

  revision(): Promise<number> {
    return this.store.revision();
  }

  compactedRevision(): Promise<number> {
    return this.store.compactedRevision();
  }

  compact(revision: number): Promise<void> {
    return this.store.compact(revision);
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#opened(await this.store.get(key));
  }

  async list(range: Range, options?: ListOptions): Promise<Listing> {
    const listing = await this.store.list(range, options);
    const entries: Entry[] = [];
    for (const entry of listing.entries) {
      const value = this.#open(entry.key, entry.value);
      entries.push({ ...entry, value: value instanceof Promise ? await value : value });
    }
    return { ...listing, entries };
  }

  async put(key: string, value: Uint8Array, expected: number): Promise<WriteResult> {
    const sealed = this.#sealing().seal(key, value);
    if (sealed !== value) this.#fresh.set(sealed, value);
    return this.#result(await this.store.put(key, sealed, expected));
  }

  async delete(key: string, expected: number): Promise<WriteResult> {
    return this.#result(await this.store.delete(key, expected));
  }

  async *watch(
    range: Range,
    fromRevision: number,
    signal: AbortSignal,
    onProgress?: (revision: number) => void,
  ): AsyncGenerator<readonly StoreEvent[]> {
    for await (const events of this.store.watch(range, fromRevision, signal, onProgress)) {
      const opened: StoreEvent[] = [];
      for (const event of events) {
        const value = event.kind === "put" ? this.#open(event.key, event.value) : undefined;
        opened.push(this.#event(event, value instanceof Promise ? await value : value));
      }
      yield opened;
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.store[Symbol.asyncDispose]();
  }

  /** Of writes by this process: their keys are at hand. */
  protected openedNow(events: readonly StoreEvent[]): readonly StoreEvent[] {
    return events.map((event) =>
      this.#event(event, event.kind === "put" ? this.#openNow(event.key, event.value) : undefined),
    );
  }

  /** The value before is opened only for who asks: hardly anybody does. */
  #event(event: StoreEvent, value: Uint8Array | undefined): StoreEvent {
    const { previous } = event;
    const before = previous && this.#lazily(previous);
    if (event.kind === "put") return { ...event, value: value ?? event.value, previous: before };
    return before === undefined ? event : { ...event, previous: before };
  }

  #lazily(entry: Entry): Entry {
    const open = (): Uint8Array => this.#openNow(entry.key, entry.value);
    return {
      key: entry.key,
      revision: entry.revision,
      get value() {
        return open();
      },
    };
  }

  #openNow(key: string, stored: Uint8Array): Uint8Array {
    const value = this.#open(key, stored);
    invariant(!(value instanceof Promise), "what this process sealed it can open by itself");
    return value;
  }

  #open(key: string, stored: Uint8Array): Uint8Array | Promise<Uint8Array> {
    return this.#fresh.get(stored) ?? this.#sealing().open(key, stored);
  }

  async #opened(entry: Entry | undefined): Promise<Entry | undefined> {
    return entry && { ...entry, value: await this.#open(entry.key, entry.value) };
  }

  async #result(result: WriteResult): Promise<WriteResult> {
    return result.ok ? result : { ok: false, current: await this.#opened(result.current) };
  }
}

class SubscribedEncryptedStore extends EncryptedStore {
  subscribe(range: Range, listener: (events: readonly StoreEvent[]) => void): Disposable {
    invariant(this.store.subscribe !== undefined, "the store below has it");
    return this.store.subscribe(range, (events) => listener(this.openedNow(events)));
  }
}
