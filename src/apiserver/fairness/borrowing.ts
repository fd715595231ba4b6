import type { Clock } from "#base/clock.ts";
import { allocateSeats, type Claim } from "#apiserver/fairness/allocate-seats.ts";
import type { Configuration } from "#apiserver/fairness/configuration.ts";
import type { PriorityLevel } from "#apiserver/fairness/priority-level.ts";

/**
 * Lends seats that a level does not need to those that do, every ten seconds. The timer runs only from the first
 * request that had to wait until demand is back within what each level has of its own.
 */
export class Borrowing {
  readonly #configuration: Configuration;
  readonly #clock: Clock;
  readonly #seats: number;
  #cancel: (() => void) | undefined;
  #fairShare: number | undefined;

  constructor(parts: { configuration: Configuration; clock: Clock; seats: number }) {
    this.#configuration = parts.configuration;
    this.#clock = parts.clock;
    this.#seats = parts.seats;
  }

  /** Somebody has to wait, or is refused. */
  needed(): void {
    this.#cancel ??= this.#clock.after(periodMs, () => this.#adjust());
  }

  /** The proportion of its target that each level gets; without need, what it would be now. */
  get fairShare(): number {
    const levels = this.#configuration.levels();
    return this.#fairShare ?? allocateSeats(this.#seats, claimsOf(levels)).fairShare;
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
  }

  #adjust(): void {
    const nowMs = this.#clock.now();
    const levels = this.#configuration.levels();
    for (const { demand } of levels) demand.settle(nowMs);
    const claims = claimsOf(levels);
    const { seats, fairShare } = allocateSeats(this.#seats, claims);
    this.#fairShare = fairShare;
    for (const [index, level] of levels.entries()) {
      level.measureUntil(nowMs);
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

function claimsOf(levels: readonly PriorityLevel[]): Claim[] {
  return levels.map(({ demand, lower, nominal, upper, settings }) => {
    const kept = settings.exempt ? demand.highest : Math.min(nominal, demand.highest);
    const least = Math.min(Math.max(lower, kept), upper);
    return { target: Math.max(least, demand.smoothed), lower: least, upper };
  });
}

const periodMs = 10_000;
