import type { Clock } from "#base/clock.ts";

const firstMs = 10_000;
const maxMs = 300_000;
const keysMax = 10_000;

/** Delays that double from 10 s to 5 minutes with each failure, forgotten after twice the longest without one. */
export class BackOff {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { delayMs: number; lastMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The delays of several, by name. */
  delaysMs(names: readonly string[]): ReadonlyMap<string, number> {
    return new Map(names.map((name) => [name, this.delayMs(name)] as const));
  }

  /** The delay after the latest failure; 0 before the first, or when that is long ago. */
  delayMs(key: string): number {
    return this.#entry(key)?.delayMs ?? 0;
  }

  /** When the latest failure's delay is over. */
  untilMs(key: string): number {
    const entry = this.#entry(key);
    return entry ? entry.lastMs + entry.delayMs : 0;
  }

  fail(key: string): void {
    const delayMs = Math.min(maxMs, (this.delayMs(key) || firstMs / 2) * 2);
    this.#entries.delete(key);
    this.#entries.set(key, { delayMs, lastMs: this.#clock.now() });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= keysMax) break;
      this.#entries.delete(oldest);
    }
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  #entry(key: string): { readonly delayMs: number; readonly lastMs: number } | undefined {
    const entry = this.#entries.get(key);
    if (entry && this.#clock.now() - entry.lastMs > 2 * maxMs) this.#entries.delete(key);
    return this.#entries.get(key);
  }
}
