import type { Clock } from "#base/clock.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { StatusError } from "#api/status.ts";

/** One event on its way to one watcher. Objects are in the form of the watched kind. */
export type WatchItem =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: StoredObject }
  | { readonly type: "BOOKMARK"; readonly revision: number; readonly initialEventsEnd: boolean }
  | { readonly type: "ERROR"; readonly status: StatusError["status"] };

export type WatchEvents = AsyncIterable<WatchItem>;

/**
 * The events of one watcher between the write that makes them and the reader that takes them. A reader that falls
 * `backlogMax` events behind is cut off: the stream ends and the client goes on from the last version it saw.
 */
export class WatchQueue implements WatchEvents {
  readonly #backlogMax: number;
  readonly #onEnd: () => void;
  #items: WatchItem[] = [];
  #next = 0;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(backlogMax: number, onEnd: () => void) {
    this.#backlogMax = backlogMax;
    this.#onEnd = onEnd;
  }

  push(item: WatchItem): void {
    if (this.#ended) return;
    if (this.#items.length - this.#next >= this.#backlogMax) {
      this.#items = [];
      this.#next = 0;
      return this.end();
    }
    this.#items.push(item);
    this.#wakeUp();
  }

  /** Ends the stream after what is already in it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    this.#wakeUp();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchItem> {
    try {
      for (;;) {
        const item = this.#take();
        if (item !== undefined) yield item;
        else if (this.#ended) return;
        else await new Promise<void>((wake) => (this.#wake = wake));
      }
    } finally {
      this.end();
    }
  }

  #take(): WatchItem | undefined {
    const item = this.#items[this.#next];
    this.#next += 1;
    if (item === undefined || this.#next === takenMax) {
      this.#items.splice(0, this.#next);
      this.#next = 0;
    }
    return item;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** What was taken is let go of in batches, so that taking does not move the rest each time. */
const takenMax = 256;

/** Reminds all watchers that want bookmarks once a minute, with one timer, which runs only while there are any. */
export class BookmarkTicker {
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onTick(listener: () => void): Disposable {
    this.#listeners.add(listener);
    this.#cancel ??= this.#schedule();
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size > 0) return;
        this.#cancel?.();
        this.#cancel = undefined;
      },
    };
  }

  #schedule(): () => void {
    return this.#clock.after(bookmarkIntervalMs, () => {
      this.#cancel = this.#schedule();
      for (const listener of this.#listeners) listener();
    });
  }
}

const bookmarkIntervalMs = 60_000;
