import type { Dispatched, WatchDispatcher } from "#apiserver/verbs/watch-dispatcher.ts";
import type { WatchItem } from "#apiserver/verbs/watch-items.ts";

/** Takes the events of one watch. */
export interface WatchReader {
  /** An event by itself, to be passed on at once. False: hold the following ones back until `resume`. */
  deliver(item: WatchItem): boolean;
  /** One of many events that come in a row; `flush` follows. */
  gather(item: WatchItem): boolean;
  flush(): boolean;
  /** Nothing follows. */
  end(): void;
}

/** The events of one watch, handed to whoever reads it. */
export interface WatchEvents {
  /** Begins; called once. */
  start(reader: WatchReader): void;
  /** The reader takes events again. */
  resume(): void;
  /** The reader is gone. */
  stop(): void;
}

export interface WatchStreamParts {
  /** What comes before the live events; `undefined` stands for an object that was looked at and left out. */
  readonly first: Iterator<WatchItem | undefined>;
  /** A reader this many live events behind is cut off. */
  readonly backlogMax: number;
  /** Called once, when no more events are taken in. */
  readonly onEnd: () => void;
  /** Passes live events on behind the write that made them; absent: they are passed on within it. */
  readonly dispatcher?: WatchDispatcher;
}

/**
 * The events of one watcher between the write that makes them and the reader that takes them. While the reader
 * keeps up, an event goes from the write straight to it; otherwise it waits here. A reader that falls `backlogMax`
 * events behind is cut off, as upstream does: the answer ends and the client goes on from the last version it saw.
 */
export class WatchStream implements WatchEvents, Dispatched {
  readonly #parts: WatchStreamParts;
  #reader: WatchReader | undefined;
  #first: Iterator<WatchItem | undefined> | undefined;
  #backlog: WatchItem[] = [];
  #next = 0;
  #open = true;
  /** The reader waits for the next event. */
  #idle = false;
  #pumping = false;
  /** The dispatcher will come by. */
  #awaited = false;

  constructor(parts: WatchStreamParts) {
    this.#parts = parts;
    this.#first = parts.first;
  }

  start(reader: WatchReader): void {
    this.#reader = reader;
    this.#pump();
  }

  push(item: WatchItem): void {
    if (!this.#open) return;
    const { dispatcher, backlogMax } = this.#parts;
    if (this.#idle && this.#reader !== undefined && dispatcher === undefined) {
      this.#idle = this.#reader.deliver(item);
      return;
    }
    const isFull = this.#backlog.length - this.#next >= backlogMax;
    // The reader is not behind: the dispatcher had no turn.
    if (isFull && this.#idle) this.#pump();
    if (this.#backlog.length - this.#next >= backlogMax) return this.#cutOff();
    this.#backlog.push(item);
    if (!this.#idle || this.#awaited || dispatcher === undefined) return;
    this.#awaited = true;
    dispatcher.add(this);
  }

  /** An event by itself is encoded once for all its watchers; several go out together. */
  flush(): void {
    this.#awaited = false;
    if (!this.#idle || this.#reader === undefined) return;
    if (this.#backlog.length - this.#next !== 1) return this.#pump();
    const item = this.#take();
    if (item !== undefined && item !== "skipped") this.#idle = this.#reader.deliver(item);
  }

  resume(): void {
    if (!this.#idle) this.#pump();
  }

  /** Ends the stream after what is already in it. */
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#parts.onEnd();
    if (this.#idle) this.#pump();
  }

  stop(): void {
    this.#reader = undefined;
    this.#drop();
    this.end();
  }

  #cutOff(): void {
    this.#drop();
    this.end();
    this.#finish();
  }

  #drop(): void {
    this.#first = undefined;
    this.#backlog = [];
    this.#next = 0;
  }

  /** Hands over what waits, for as long as the reader takes it; others get their turn after `stepMax` events. */
  #pump(): void {
    if (this.#pumping || this.#reader === undefined) return;
    this.#pumping = true;
    this.#idle = false;
    const paused = this.#handOver(this.#reader);
    this.#pumping = false;
    if (paused === "full") return;
    if (paused === "turn") return void setTimeout(() => this.#pump(), 0);
    if (this.#open) this.#idle = true;
    else this.#finish();
  }

  /** Why it stopped: the reader is full, others get their turn, or nothing waits any more. */
  #handOver(reader: WatchReader): "full" | "turn" | "empty" {
    for (let step = 0; step < stepMax; step += 1) {
      const item = this.#take();
      if (item === "skipped") continue;
      if (item === undefined) return reader.flush() ? "empty" : "full";
      if (!reader.gather(item)) return "full";
      if (this.#reader === undefined) return "full";
    }
    return reader.flush() ? "turn" : "full";
  }

  #take(): WatchItem | "skipped" | undefined {
    if (this.#first !== undefined) {
      const next = this.#first.next();
      if (next.done !== true) return next.value ?? "skipped";
      this.#first = undefined;
    }
    const item = this.#backlog[this.#next];
    this.#next += 1;
    if (item === undefined || this.#next === takenMax) {
      this.#backlog.splice(0, this.#next);
      this.#next = 0;
    }
    return item;
  }

  #finish(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#idle = false;
    reader?.end();
  }
}

/** What was taken is let go of in batches, so that taking does not move the rest each time. */
const takenMax = 256;
/** Some milliseconds' worth of objects. */
const stepMax = 1_024;
