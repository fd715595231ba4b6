/** Something that has events to pass on. */
export interface Dispatched {
  flush(): void;
}

/**
 * Passes events on to the watchers of a server behind the write that made them, some hundred watchers a turn: the
 * writer has its answer first, other requests get their turn, and events that come close together go out together.
 */
export class WatchDispatcher {
  #waiting: Dispatched[] = [];
  #next = 0;
  #scheduled = false;

  /** Each stream comes once until it was flushed. */
  add(stream: Dispatched): void {
    this.#waiting.push(stream);
    if (!this.#scheduled) this.#schedule();
  }

  #schedule(): void {
    this.#scheduled = true;
    soon(() => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const end = Math.min(this.#next + turnMax, this.#waiting.length);
    for (; this.#next < end; this.#next += 1) this.#waiting[this.#next]?.flush();
    if (this.#next < this.#waiting.length) return this.#schedule();
    this.#waiting = [];
    this.#next = 0;
  }
}

/** About a millisecond's worth of writes to connections. */
const turnMax = 256;

/** Behind what is ready now; a browser has no `setImmediate`. */
const soon: (act: () => void) => void =
  typeof setImmediate === "function" ? setImmediate : (act) => setTimeout(act, 0);
