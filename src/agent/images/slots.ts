import { type Clock, sleep } from "#base/clock.ts";

/** A limited number of works that may go on at once; the others wait in the order in which they came. */
export class Slots {
  readonly #max: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(limits: { readonly max: number; readonly waitingMax: number }) {
    this.#max = limits.max;
    this.#waitingMax = limits.waitingMax;
  }

  /** Resolves with what gives the slot back. Rejects when the signal is aborted before, or too many wait. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken >= this.#max) await this.#turn(signal);
    else this.#taken += 1;
    let isHeld = true;
    return () => {
      if (isHeld) this.#passOn();
      isHeld = false;
    };
  }

  /** A slot that passes on stays taken. */
  #passOn(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#taken -= 1;
    else next();
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#waitingMax) {
      return Promise.reject(new Error(`${this.#waiting.size} others wait already`));
    }
    return new Promise((resolve, reject) => {
      const give = (): void => {
        this.#waiting.delete(give);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(give);
        reject(signal.reason as Error);
      };
      this.#waiting.add(give);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}

/** A signal that is aborted after a time, or with `outer`; ending it stops the clock. */
export function timeLimit(
  clock: Clock,
  limit: { readonly afterMs: number; readonly message: string },
  outer?: AbortSignal,
): { readonly signal: AbortSignal } & Disposable {
  const late = new AbortController();
  const done = new AbortController();
  sleep(clock, limit.afterMs, done.signal).then(
    () => late.abort(new Error(limit.message)),
    () => {},
  );
  return {
    signal: outer ? AbortSignal.any([outer, late.signal]) : late.signal,
    [Symbol.dispose]: () => done.abort(),
  };
}
