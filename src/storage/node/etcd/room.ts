/** Lets so many acts run at once; the others wait in the order they came. */
export class Room {
  readonly #max: number;
  readonly #waiting = new Set<() => void>();
  readonly #empty: (() => void)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(act: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    } else this.#running += 1;
    try {
      return await act();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else {
        this.#waiting.delete(next);
        next();
      }
      if (this.#running === 0) for (const resolve of this.#empty.splice(0)) resolve();
    }
  }

  /** Resolves when nothing runs and nothing waits. */
  empty(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#empty.push(resolve));
  }
}
