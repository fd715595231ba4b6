import type { ObjectEvent } from "#apiserver/request.ts";
import type { WatchItem } from "#apiserver/verbs/watch-items.ts";
import type { WatchEvents, WatchReader } from "#apiserver/verbs/watch-stream.ts";

/**
 * A watch for a caller in the same process, who takes its events one by one. It holds back all but the next event,
 * so that what waits is bounded by the watch.
 */
export class EventIterator implements AsyncIterableIterator<ObjectEvent>, WatchReader {
  readonly #events: WatchEvents;
  readonly #encode: (item: WatchItem) => ObjectEvent;
  #started = false;
  #ended = false;
  #next: WatchItem | undefined;
  #waiting: ((result: IteratorResult<ObjectEvent>) => void) | undefined;

  constructor(events: WatchEvents, encode: (item: WatchItem) => ObjectEvent) {
    this.#events = events;
    this.#encode = encode;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ObjectEvent>> {
    this.#ask();
    const item = this.#next;
    if (item === undefined && this.#ended) return Promise.resolve(finished);
    if (item === undefined) return new Promise((resolve) => (this.#waiting = resolve));
    this.#next = undefined;
    return Promise.resolve({ done: false, value: this.#encode(item) });
  }

  return(): Promise<IteratorResult<ObjectEvent>> {
    this.#events.stop();
    this.#ended = true;
    this.#next = undefined;
    return Promise.resolve(finished);
  }

  deliver(item: WatchItem): boolean {
    const resolve = this.#waiting;
    if (resolve === undefined) {
      this.#next = item;
      return false;
    }
    this.#waiting = undefined;
    resolve({ done: false, value: this.#encode(item) });
    return false;
  }

  gather(item: WatchItem): boolean {
    return this.deliver(item);
  }

  flush(): boolean {
    return this.#next === undefined;
  }

  end(): void {
    this.#ended = true;
    this.#waiting?.(finished);
    this.#waiting = undefined;
  }

  /** Lets the watch hand over its next event, while nothing waits to be taken. */
  #ask(): void {
    if (this.#next !== undefined || this.#ended) return;
    if (this.#started) return this.#events.resume();
    this.#started = true;
    this.#events.start(this);
  }
}

const finished = { done: true, value: undefined } as const;
