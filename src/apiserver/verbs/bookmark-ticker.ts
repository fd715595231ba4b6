import type { Clock } from "#base/clock.ts";

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
