import { inRange } from "#storage/key.ts";
import { FutureRevisionError, SlowWatcherError } from "#storage/store.ts";
import type { Range, StoreEvent } from "#storage/store.ts";

/** How many events a watcher may fall behind before it gets a SlowWatcherError. */
export const backlogMaxDefault = 10_000;

export interface WatchHubOptions {
  /** The revision up to which everything counts as handed over. */
  readonly revision: number;
  readonly backlogMax: number;
  /** Every event in `(fromRevision, toRevision]`. @throws CompactedError when some are no longer known */
  readonly history: (fromRevision: number, toRevision: number) => readonly StoreEvent[];
}

/** Hands every write to those who listen, in revision order; a watcher catches up from history, then goes live. */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #listeners = new Set<(events: readonly StoreEvent[]) => void>();
  readonly #backlogs = new Set<Backlog>();
  readonly #waiting: (readonly StoreEvent[])[] = [];
  #publishing = false;
  #revision: number;
  #closed = false;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.#revision = options.revision;
  }

  /** A listener that writes makes its events follow those being handed over, for everybody. */
  publish(events: readonly StoreEvent[]): void {
    this.#waiting.push(events);
    if (this.#publishing) return;
    this.#publishing = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#handOver(next);
    }
    this.#publishing = false;
  }

  subscribe(range: Range, listener: (events: readonly StoreEvent[]) => void): Disposable {
    const filtered = (events: readonly StoreEvent[]): void => {
      const wanted = within(range, events);
      if (wanted.length > 0) listener(wanted);
    };
    this.#listeners.add(filtered);
    return { [Symbol.dispose]: () => void this.#listeners.delete(filtered) };
  }

  async *watch(
    range: Range,
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoreEvent[]> {
    if (fromRevision > this.#revision) throw new FutureRevisionError(fromRevision, this.#revision);
    let position = fromRevision;
    while (position < this.#revision && !signal.aborted && !this.#closed) {
      const until = Math.min(position + replayMax, this.#revision);
      const wanted = within(range, this.#options.history(position, until));
      position = until;
      if (wanted.length > 0) yield wanted;
      if (position < this.#revision) await nextTurn();
    }
    if (signal.aborted || this.#closed) return;
    // Nothing is awaited between having the newest and going live, so there is no gap.
    const backlog = new Backlog(range, this.#options.backlogMax);
    const end = (): void => backlog.stop("aborted");
    this.#backlogs.add(backlog);
    signal.addEventListener("abort", end, { once: true });
    try {
      for (let events = await backlog.take(); events; events = await backlog.take()) yield events;
    } finally {
      signal.removeEventListener("abort", end);
      this.#backlogs.delete(backlog);
    }
  }

  /** Ends every watch, after the events that wait to be read. */
  close(): void {
    this.#closed = true;
    for (const backlog of this.#backlogs) backlog.stop("ended");
    this.#listeners.clear();
  }

  #handOver(events: readonly StoreEvent[]): void {
    this.#revision = events.at(-1)?.revision ?? this.#revision;
    for (const listener of this.#listeners) guarded(listener, events);
    for (const backlog of this.#backlogs) backlog.add(events);
  }
}

/** How many revisions one step of a replay reads; keeps the event loop free. */
const replayMax = 200;

class Backlog {
  readonly #range: Range;
  readonly #max: number;
  #events: StoreEvent[] = [];
  #state: "live" | "slow" | "ended" | "aborted" = "live";
  #wake: (() => void) | undefined;

  constructor(range: Range, max: number) {
    this.#range = range;
    this.#max = max;
  }

  add(events: readonly StoreEvent[]): void {
    if (this.#state !== "live") return;
    for (const event of events) if (inRange(this.#range, event.key)) this.#events.push(event);
    if (this.#events.length > this.#max) this.stop("slow");
    if (this.#events.length > 0) this.#wake?.();
  }

  /** An end of the store leaves what has gathered to be read. */
  stop(state: "slow" | "ended" | "aborted"): void {
    this.#state = state;
    if (state !== "ended") this.#events = [];
    this.#wake?.();
  }

  /** What has gathered, as soon as there is something; undefined at the end. */
  async take(): Promise<readonly StoreEvent[] | undefined> {
    if (this.#events.length === 0 && this.#state === "live") {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    if (this.#state === "slow") {
      throw new SlowWatcherError(`Cannot watch on: more than ${this.#max} events wait to be read`);
    }
    const events = this.#events;
    this.#events = [];
    return events.length > 0 ? events : undefined;
  }
}

function within(range: Range, events: readonly StoreEvent[]): readonly StoreEvent[] {
  if (range.start === "" && range.end === "") return events;
  return events.filter((event) => inRange(range, event.key));
}

/** A listener's failure is a bug of the listener: it surfaces as uncaught, the write and other listeners go on. */
function guarded(
  listener: (events: readonly StoreEvent[]) => void,
  events: readonly StoreEvent[],
): void {
  try {
    listener(events);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
