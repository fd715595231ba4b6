import type { Random } from "#base/random.ts";

/** Numbers that are given out once: those of stored objects and those of writes that are on their way. */
export class NumberPool {
  /** How many stored objects hold a number; more than one only where an object is changing hands. */
  readonly #held = new Map<number, number>();
  readonly #pending = new Set<number>();
  readonly #first: number;
  readonly #last: number;

  constructor(first: number, last: number) {
    this.#first = first;
    this.#last = last;
  }

  isTaken(value: number): boolean {
    return this.#held.has(value) || this.#pending.has(value);
  }

  /** Whether a stored object holds it. */
  isHeld(value: number): boolean {
    return this.#held.has(value);
  }

  /** Takes a number for a write; false when it is taken. */
  reserve(value: number): boolean {
    if (this.isTaken(value)) return false;
    this.#pending.add(value);
    return true;
  }

  /** Takes any free number, of the pool or of a range of its own; undefined when there is none. */
  reserveAny(random: Random, within: Partial<NumberRange> = {}): number | undefined {
    const { first = this.#first, last = this.#last, isFree } = within;
    const count = last - first + 1;
    const start = Math.floor(random() * count);
    for (let step = 0; step < count; step += 1) {
      const value = first + ((start + step) % count);
      if (isFree?.(value) !== false && this.reserve(value)) return value;
    }
    return undefined;
  }

  /** Gives a number back whose write did not happen. */
  giveBack(value: number): void {
    this.#pending.delete(value);
  }

  /** A stored object holds the number from now on. */
  hold(value: number): void {
    this.#pending.delete(value);
    this.#held.set(value, (this.#held.get(value) ?? 0) + 1);
  }

  release(value: number): void {
    const holders = (this.#held.get(value) ?? 0) - 1;
    if (holders > 0) this.#held.set(value, holders);
    else this.#held.delete(value);
  }
}

export interface NumberRange {
  readonly first: number;
  readonly last: number;
  /** Whether a number is to be had at all. */
  readonly isFree: (value: number) => boolean;
}
