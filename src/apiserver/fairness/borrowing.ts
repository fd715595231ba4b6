import type { Clock } from "#base/clock.ts";
import { allocateSeats } from "#apiserver/fairness/allocate-seats.ts";
import type { Configuration } from "#apiserver/fairness/configuration.ts";

/**
 * Lends seats that a level does not need to those that do, every ten seconds. The timer runs only from the first
 * request that had to wait until demand is back within what each level has of its own.
 */
export class Borrowing {
  readonly #configuration: Configuration;
  readonly #clock: Clock;
  readonly #seats: number;
  #cancel: (() => void) | undefined;

  constructor(parts: { configuration: Configuration; clock: Clock; seats: number }) {
    this.#configuration = parts.configuration;
    this.#clock = parts.clock;
    this.#seats = parts.seats;
  }

  /** Somebody has to wait, or is refused. */
  needed(): void {
    this.#cancel ??= this.#clock.after(periodMs, () => this.#adjust());
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }

  #adjust(): void {
    const nowMs = this.#clock.now();
    const levels = this.#configuration.levels();
    for (const { demand } of levels) demand.settle(nowMs);
    const claims = levels.map(({ demand, lower, nominal, upper, settings }) => {
      const kept = settings.exempt ? demand.highest : Math.min(nominal, demand.highest);
      const least = Math.min(Math.max(lower, kept), upper);
      return { target: Math.max(least, demand.smoothed), lower: least, upper };
    });
    const { seats } = allocateSeats(this.#seats, claims);
    for (const [index, level] of levels.entries()) {
      level.target = claims[index]?.target ?? 0;
      const own = Math.round(seats[index] ?? 0);
      level.current = level.nominal > 0 ? Math.max(1, own) : own;
      level.dispatch(nowMs);
    }
    const isBusy = levels.some(
      ({ demand, lower, settings }) => !settings.exempt && demand.highest > lower,
    );
    this.#cancel = undefined;
    if (isBusy) this.needed();
  }
}

const periodMs = 10_000;
