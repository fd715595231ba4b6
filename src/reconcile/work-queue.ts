import type { Clock } from "#base/clock.ts";
import type { QueueMeter } from "#reconcile/queue-metrics.ts";

/**
 * Keys waiting to be worked on, as client-go's rate-limiting work queue: a key waits at most once, is never handed
 * out twice at a time (added while it is worked on, it waits until `done`), and fails ever more slowly.
 */
export interface WorkQueue {
  add(key: string): void;
  /** Adds the key when the time has passed; of several, the earliest counts. */
  addAfter(key: string, delayMs: number): void;
  /** Adds the key after 5 ms, doubled with each failure since `forget`, at most 1000 s. */
  addRateLimited(key: string): void;
  forget(key: string): void;
  /** The next key, or undefined once the queue is closed. Every key taken must be given to `done`. */
  take(): Promise<string | undefined>;
  /** With a rest, the key is not handed out again before that time: what is added meanwhile is taken together. */
  done(key: string, restMs?: number): void;
  /** Keys ready to be taken. */
  readonly length: number;
  close(): void;
  /** From now on the meter is told; called at most once, before the first key. */
  measure(meter: QueueMeter): void;
}

const failureDelayMinMs = 5;
const failureDelayMaxMs = 1_000_000;

export function createWorkQueue(clock: Clock): WorkQueue {
  return new KeyQueue(clock);
}

class KeyQueue implements WorkQueue {
  readonly #clock: Clock;
  /** Keys to be worked on, in order; those being worked on stay out until they are done. */
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  readonly #again = new Set<string>();
  readonly #resting = new Set<() => void>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly dueMs: number; cancel(): void }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;
  #meter: QueueMeter | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get length(): number {
    return this.#ready.size;
  }

  measure(meter: QueueMeter): void {
    this.#meter = meter;
  }

  add(key: string): void {
    if (this.#closed) return;
    const waiting = this.#working.has(key) ? this.#again : this.#ready;
    if (waiting.has(key)) return;
    waiting.add(key);
    this.#meter?.added(key);
    if (waiting === this.#ready) {
      this.#serve();
    }
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    this.#meter?.retried();
    if (delayMs <= 0) return this.add(key);
    const dueMs = this.#clock.now() + delayMs;
    const known = this.#delayed.get(key);
    if (known && known.dueMs <= dueMs) return;
    known?.cancel();
    const cancel = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(failureDelayMinMs * 2 ** failures, failureDelayMaxMs));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve(undefined);
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  done(key: string, restMs = 0): void {
    this.#meter?.done(key);
    if (restMs > 0 && !this.#closed) {
      const cancel = this.#clock.after(restMs, () => {
        this.#resting.delete(cancel);
        this.done(key);
      });
      this.#resting.add(cancel);
      return;
    }
    this.#working.delete(key);
    if (this.#closed || !this.#again.delete(key)) return;
    this.#ready.add(key);
    this.#serve();
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#delayed.values()) entry.cancel();
    this.#delayed.clear();
    for (const cancel of this.#resting) cancel();
    this.#resting.clear();
    this.#ready.clear();
    this.#again.clear();
    this.#meter?.closed();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #serve(): void {
    for (const key of this.#ready) {
      const taker = this.#takers.shift();
      if (taker === undefined) return;
      this.#ready.delete(key);
      this.#working.add(key);
      this.#meter?.taken(key);
      taker(key);
    }
  }
}
