import { StatusError, badRequest } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import { parseGoDuration } from "#base/go-duration.ts";

/** As upstream's `--request-timeout`. */
const timeoutMaxMs = 60_000;

/** How long the answer may take: what `?timeout=` asks for, a minute at most. Throws a 400. */
export function timeoutOf(query: URLSearchParams): number {
  const text = query.get("timeout") ?? "";
  if (text === "") return timeoutMaxMs;
  const askedMs = parseGoDuration(text);
  if (askedMs === undefined) {
    const why = `time: invalid duration ${JSON.stringify(text)}`;
    throw badRequest(`invalid timeout specified in the request URL - ${why}`);
  }
  return askedMs > 0 ? Math.min(askedMs, timeoutMaxMs) : timeoutMaxMs;
}

interface Waiting {
  readonly endMs: number;
  readonly expire: () => void;
}

/** Answers in time, with upstream's 504 where there is none. One timer serves all requests. */
export class RequestDeadlines {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #wakeAtMs = Infinity;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What `work` gives, if it gives it in time. Work that is late goes on: nobody waits for it any more. */
  within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const endMs = this.#clock.now() + timeoutMs;
      const waiting = { endMs, expire: () => reject(timedOut()) };
      this.#waiting.add(waiting);
      if (endMs < this.#wakeAtMs) this.#wakeAt(endMs);
      work.then(
        (value) => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        (error: unknown) => {
          this.#waiting.delete(waiting);
          reject(error as Error);
        },
      );
    });
  }

  #wakeAt(atMs: number): void {
    this.#cancel();
    this.#wakeAtMs = atMs;
    this.#cancel = this.#clock.after(atMs - this.#clock.now(), () => this.#expire());
  }

  #expire(): void {
    const nowMs = this.#clock.now();
    let nextMs = Infinity;
    for (const waiting of this.#waiting) {
      if (waiting.endMs > nowMs) nextMs = Math.min(nextMs, waiting.endMs);
      else if (this.#waiting.delete(waiting)) waiting.expire();
    }
    this.#wakeAtMs = Infinity;
    if (nextMs < Infinity) this.#wakeAt(nextMs);
  }
}

function timedOut(): StatusError {
  return new StatusError({
    code: 504,
    reason: "Timeout",
    message: "Timeout: request did not complete within the allotted timeout",
    details: {},
  });
}
