import type { KubeObject } from "#api/meta.ts";
import { keyOf } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { isExpired, StatusError } from "#api/status.ts";
import { sleep, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client, WatchEvent } from "#client/client.ts";
import type { Change, IndexFunction, Informer } from "#client/informer.ts";
import { ObjectCache } from "#client/object-cache.ts";
import { Waiters } from "#client/waiters.ts";

export interface InformerOptions<T extends KubeObject> {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /**
   * What is kept of an object, for readers that need only a part: `keep: onlyMetadata`. Default: all but
   * `managedFields`, which are half of a decoded pod, which no reader needs, and which the server keeps when an update
   * leaves them out.
   */
  readonly keep?: (object: T) => T;
  /** Ends the watch; what was learnt stays readable. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Starts watching at once. A broken watch is resumed where it stopped, after a pause that doubles from 800 ms to
 * 30 s while nothing gets through; history that is gone (410) makes it list anew, and readers then see only the
 * differences.
 */
export function createInformer<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: InformerOptions<T>,
): Informer<T> {
  const follower = new Follower(client, resource, options);
  void follower.run();
  return follower;
}

/** The page size of a listing, as client-go's. */
const pageSize = 500;
const pauseMinMs = 800;
const pauseMaxMs = 30_000;

class Follower<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>;
  readonly #settleSynced: { resolve(): void; reject(reason: unknown): void };
  readonly #client: Client;
  readonly #resource: Resource<T>;
  readonly #options: InformerOptions<T>;
  readonly #cache = new ObjectCache<T>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #waiters = new Waiters<T>();
  /** Ends the waits that have a time limit, when the informer ends. */
  readonly #pending = new Set<() => void>();
  #ended = false;
  #resourceVersion = "";
  /** False when what is known must be listed anew before a watch can go on. */
  #resumable = false;
  #watchListRefused = false;

  constructor(client: Client, resource: Resource<T>, options: InformerOptions<T>) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.synced = promise;
    this.synced.catch(() => {}); // Whoever waits sees it; nobody need wait.
    this.#settleSynced = { resolve, reject };
    for (const [name, valuesOf] of Object.entries(options.indexes ?? {})) {
      this.#cache.addIndex(name, valuesOf);
    }
  }

  get resourceVersion(): string {
    return this.#resourceVersion;
  }
  get: Informer<T>["get"] = (at) => this.#cache.get(at);
  list: Informer<T>["list"] = (namespace) => this.#cache.list(namespace);
  byIndex: Informer<T>["byIndex"] = (index, value) => this.#cache.byIndex(index, value);
  addIndex: Informer<T>["addIndex"] = (name, valuesOf) => this.#cache.addIndex(name, valuesOf);

  onChange: Informer<T>["onChange"] = (listener) => {
    const own = (change: Change<T>): void => listener(change);
    this.#listeners.add(own);
    for (const object of this.#cache.list()) own({ kind: "added", object });
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  };

  until: Informer<T>["until"] = (condition, signal) =>
    new Promise((resolve, reject) => {
      if (condition()) return resolve();
      if (signal.aborted) return reject(signal.reason as Error);
      const check = (): void => {
        if (condition()) settle(resolve);
      };
      const abort = (): void => settle(() => reject(signal.reason as Error));
      const settle = (act: () => void): void => {
        forget();
        signal.removeEventListener("abort", abort);
        act();
      };
      const forget = this.#waiters.forCondition(check);
      signal.addEventListener("abort", abort, { once: true });
    });

  reached: Informer<T>["reached"] = (resourceVersion, timeoutMs) => {
    const version = Number(resourceVersion);
    if (Number(this.#resourceVersion) >= version) return Promise.resolve();
    return this.#within(timeoutMs, (seen) => this.#waiters.forVersion(version, seen));
  };

  untilObject: Informer<T>["untilObject"] = (at, condition, timeoutMs) => {
    if (condition(this.get(at))) return Promise.resolve();
    const key = at.namespace ? `${at.namespace}/${at.name}` : at.name;
    return this.#within(timeoutMs, (seen) =>
      this.#waiters.forObject(key, (object) => {
        if (condition(object)) seen();
      }),
    );
  };

  #within(timeoutMs: number, wait: (seen: () => void) => () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#options.signal.reason as Error);
      const settle = (act: () => void): void => {
        forget();
        stop();
        this.#pending.delete(end);
        act();
      };
      const end = (): void => settle(() => reject(this.#options.signal.reason as Error));
      const forget = wait(() => settle(resolve));
      const stop = this.#options.clock.after(timeoutMs, () => {
        const { resource } = this.#resource;
        const problem = `the watch is ${timeoutMs} ms behind`;
        settle(() => reject(new Error(`Cannot see a write of ${resource}: ${problem}`)));
      });
      this.#pending.add(end);
    });
  }

  async run(): Promise<void> {
    const { signal, clock, log } = this.#options;
    let pauseMs = pauseMinMs;
    while (!signal.aborted) {
      const before = this.#resourceVersion;
      const startedAt = clock.now();
      try {
        await this.#follow();
      } catch (error) {
        if (signal.aborted) break;
        this.#learnFrom(error);
        log.warn("watch broken", { resource: this.#resource.resource, error });
      }
      // A watch that brought something or lasted is opened again at once.
      const useful = this.#resourceVersion !== before || clock.now() - startedAt > pauseMinMs;
      if (useful) pauseMs = pauseMinMs;
      else {
        await sleep(clock, pauseMs, signal).catch(() => {});
        pauseMs = Math.min(pauseMs * 2, pauseMaxMs);
      }
    }
    this.#ended = true;
    for (const end of this.#pending) end();
    this.#settleSynced.reject(signal.reason);
  }

  async #follow(): Promise<void> {
    if (this.#resumable) return this.#watch();
    if (!this.#watchListRefused) return this.#watchFromNothing();
    await this.#list();
    await this.#watch();
  }

  #learnFrom(error: unknown): void {
    if (isExpired(error)) this.#resumable = false;
    else if (!this.#resumable && !this.#watchListRefused && refusesWatchList(error)) {
      this.#watchListRefused = true;
    }
  }

  /** WatchList (KEP-3157): the listing arrives as events, closed by a marked bookmark. */
  async #watchFromNothing(): Promise<void> {
    const events = await this.#open({ sendInitialEvents: true });
    let fresh: T[] | undefined = [];
    for await (const event of events) {
      if (fresh === undefined) this.#take(event);
      else if (event.type === "ADDED") fresh.push(this.#kept(event.object));
      else if (event.type === "BOOKMARK" && event.initialEventsEnd) {
        this.#replace(fresh, event.resourceVersion);
        fresh = undefined;
      }
    }
  }

  async #list(): Promise<void> {
    const { signal, namespace, labelSelector, fieldSelector } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, limit: pageSize, signal };
    const fresh: T[] = [];
    let page = await this.#client.list(this.#resource, selection);
    for (;;) {
      for (const item of page.items) fresh.push(this.#kept(item));
      if (page.continue === undefined) break;
      page = await this.#client.list(this.#resource, { ...selection, continue: page.continue });
    }
    this.#replace(fresh, page.resourceVersion);
  }

  async #watch(): Promise<void> {
    const events = await this.#open({ resourceVersion: this.#resourceVersion });
    for await (const event of events) this.#take(event);
  }

  #open(from: { resourceVersion?: string; sendInitialEvents?: boolean }) {
    const { signal, namespace, labelSelector, fieldSelector } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector };
    return this.#client.watch(this.#resource, {
      ...selection,
      ...from,
      allowWatchBookmarks: true,
      signal,
    });
  }

  #kept(object: T): T {
    return (this.#options.keep ?? withoutManagedFields)(object);
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === "BOOKMARK") this.#resourceVersion = event.resourceVersion;
    else {
      this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
      if (event.type === "DELETED") this.#remove(keyOf(event.object), this.#kept(event.object));
      else this.#put(this.#kept(event.object));
    }
    this.#wake();
  }

  #replace(fresh: readonly T[], resourceVersion: string): void {
    const gone = new Set(this.#cache.keys());
    for (const object of fresh) gone.delete(keyOf(object));
    this.#resourceVersion = resourceVersion;
    this.#resumable = true;
    for (const key of gone) this.#remove(key);
    for (const object of fresh) this.#put(object);
    this.#settleSynced.resolve();
    this.#wake();
  }

  #put(object: T): void {
    const known = this.#cache.get({
      name: object.metadata.name ?? "",
      namespace: object.metadata.namespace,
    });
    if (known && known.metadata.uid !== object.metadata.uid) {
      // Deleted and created again while nobody watched: readers see both.
      this.#remove(keyOf(object));
    } else if (known?.metadata.resourceVersion === object.metadata.resourceVersion && known) {
      return;
    }
    const old = this.#cache.put(object);
    this.#tell(old ? { kind: "modified", object, old } : { kind: "added", object });
    this.#waiters.objectChanged(keyOf(object), object);
  }

  #remove(key: string, last?: T): void {
    const old = this.#cache.remove(key);
    if (old) this.#tell({ kind: "deleted", object: last ?? old });
    this.#waiters.objectChanged(key, undefined);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }

  #wake(): void {
    this.#waiters.versionReached(Number(this.#resourceVersion));
  }
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields, ...metadata } = object.metadata;
  if (managedFields === undefined) return object;
  return Object.freeze({ ...object, metadata: Object.freeze(metadata) });
}

/** Servers without WatchList refuse the parameter as invalid or bad. */
function refusesWatchList(error: unknown): boolean {
  return error instanceof StatusError && [400, 403, 405, 422].includes(error.status.code);
}
