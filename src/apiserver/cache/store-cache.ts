import { sleep, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { CompactedError, prefixRange, after, type Store, type StoreEvent } from "#storage/store.ts";
import { ResourceCache } from "#apiserver/cache/resource-cache.ts";
import { fromStoredEntries } from "#apiserver/cache/stored-object.ts";

/**
 * The one cache above the store: every stored object by resource. Reads are answered from it; watches hang on it;
 * informers in the same process are views of it. Over an embedded store it is always current, because the store
 * hands over events within the write; over a remote one `current()` waits until it has caught up.
 */
export interface StoreCache extends AsyncDisposable {
  /** The revision of the newest write the cache has seen. */
  readonly revision: number;
  /** `prefix` as `resourcePrefix` makes it. */
  resource(prefix: string): ResourceCache;
  resources(): Iterable<ResourceCache>;
  /** Resolves once everything that was written before the call is in the cache; undefined when it is already. */
  current(): Promise<void> | undefined;
  /** Resolves to false when `revision` was not reached before the signal. */
  reached(revision: number, signal: AbortSignal): Promise<boolean>;
  /** Called after the cache has taken each write in. */
  onRevision(listener: () => void): Disposable;
}

export const registryPrefix = "/registry/";

export interface CacheParts {
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
}

export async function createStoreCache(parts: CacheParts): Promise<StoreCache> {
  const cache = new LoadedCache(parts);
  await cache.start();
  return cache;
}

class LoadedCache implements StoreCache {
  revision = 0;
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #resources = new Map<string, ResourceCache>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #subscription: Disposable | undefined;
  #loadedRevision = 0;
  /** Events that come while the first listing is read. */
  #early: StoreEvent[] | undefined = [];

  constructor({ store, log, clock }: CacheParts) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    this.#subscription = this.#store.subscribe?.(prefixRange(registryPrefix), (events) => {
      if (this.#early) this.#early.push(...events);
      else this.#applyAll(events);
    });
    await this.#load();
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#applyAll(early);
    if (this.#subscription === undefined) void this.#follow();
  }

  resource(prefix: string): ResourceCache {
    let resource = this.#resources.get(prefix);
    if (resource === undefined) {
      resource = new ResourceCache(prefix, this.#loadedRevision);
      this.#resources.set(prefix, resource);
    }
    return resource;
  }

  resources(): Iterable<ResourceCache> {
    return this.#resources.values();
  }

  current(): Promise<void> | undefined {
    return this.#subscription === undefined ? this.#upToDate() : undefined;
  }

  async #upToDate(): Promise<void> {
    await this.reached(await this.#store.revision(), this.#stop.signal);
  }

  reached(revision: number, signal: AbortSignal): Promise<boolean> {
    if (this.revision >= revision) return Promise.resolve(true);
    if (signal.aborted) return Promise.resolve(false);
    // A shared store tells of writes outside of what is kept here when it is asked how far it is.
    if (this.#subscription === undefined) this.#store.revision().catch(() => {});
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        listening[Symbol.dispose]();
        signal.removeEventListener("abort", giveUp);
        resolve(result);
      };
      const giveUp = (): void => settle(false);
      const listening = this.onRevision(() => this.revision >= revision && settle(true));
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  onRevision(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#subscription?.[Symbol.dispose]();
    return Promise.resolve();
  }

  async #load(): Promise<void> {
    const range = prefixRange(registryPrefix);
    let start = range.start;
    for (;;) {
      const page = await this.#store.list(
        { start, end: range.end },
        { limit: pageSize, ...(this.#loadedRevision > 0 && { atRevision: this.#loadedRevision }) },
      );
      this.#loadedRevision = page.revision;
      for (const object of fromStoredEntries(page.entries)) {
        this.resource(resourcePrefixOf(object.key)).load(object);
      }
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      start = after(last.key);
    }
    this.revision = this.#loadedRevision;
    this.#rebase();
  }

  /** Resources made before the revision was known begin their history at it. */
  #rebase(): void {
    for (const [prefix, resource] of this.#resources) {
      if (resource.historyStart === this.#loadedRevision) continue;
      const based = new ResourceCache(prefix, this.#loadedRevision);
      for (const object of resource.list(prefix)) based.load(object);
      this.#resources.set(prefix, based);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#followOnce(signal);
      } catch (error) {
        if (!signal.aborted) this.#log.error("store was not read again", { error });
      }
      await sleep(this.#clock, retryMs, signal).catch(() => {});
    }
  }

  /** Until the watch ends or breaks. */
  async #followOnce(signal: AbortSignal): Promise<void> {
    try {
      const range = prefixRange(registryPrefix);
      const progress = (revision: number): void => this.#advance(revision);
      for await (const events of this.#store.watch(range, this.revision, signal, progress)) {
        this.#applyAll(events);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#log.warn("watch of the store broke and begins again", { error });
      if (error instanceof CompactedError) await this.#catchUp();
    }
  }

  /** After a gap in the history: what differs from a fresh listing becomes events. */
  async #catchUp(): Promise<void> {
    const known = new Map(
      [...this.#resources.values()].flatMap((resource) =>
        resource.list(resource.prefix).map((object) => [object.key, object.revision] as const),
      ),
    );
    const { entries, revision } = await this.#store.list(prefixRange(registryPrefix));
    const events: StoreEvent[] = [];
    for (const entry of entries) {
      if (known.get(entry.key) !== entry.revision) {
        events.push({ kind: "put", ...entry, previous: undefined });
      }
      known.delete(entry.key);
    }
    for (const [key, last] of known) {
      const previous = { key, value: new Uint8Array(), revision: last };
      events.push({ kind: "delete", key, previous, revision });
    }
    this.#applyAll(events.toSorted((a, b) => a.revision - b.revision));
    this.#advance(revision);
  }

  /** Nothing else happened up to there. */
  #advance(revision: number): void {
    this.revision = Math.max(this.revision, revision);
    for (const listener of this.#listeners) listener();
  }

  #applyAll(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.revision <= this.#loadedRevision) continue;
      this.revision = event.revision;
      this.resource(resourcePrefixOf(event.key)).apply(event);
    }
    for (const listener of this.#listeners) listener();
  }
}

const pageSize = 1_000;
const retryMs = 500;

/** `/registry/GROUP/RESOURCE/` of a key that begins so. */
function resourcePrefixOf(key: string): string {
  const group = key.indexOf("/", registryPrefix.length);
  const resource = key.indexOf("/", group + 1);
  return key.slice(0, resource + 1);
}

/** `/registry/GROUP/RESOURCE/`; the core group is written `core`. Kept by the kind, which asks with every request. */
export function resourcePrefix(stored: {
  readonly group: string;
  readonly resource: string;
}): string {
  let prefix = prefixes.get(stored);
  if (prefix === undefined) {
    prefix = `${registryPrefix}${stored.group === "" ? "core" : stored.group}/${stored.resource}/`;
    prefixes.set(stored, prefix);
  }
  return prefix;
}

const prefixes = new WeakMap<object, string>();
