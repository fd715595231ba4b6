/**
 * Lets writers of the same object in this process go one after the other: each would otherwise lose to the one
 * before and begin again. Correctness does not rest on it; the store compares versions all the same.
 */
export class KeyQueue {
  readonly #last = new Map<string, Promise<void>>();

  async run<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.#last.set(key, done);
    try {
      await before;
      return await act();
    } finally {
      finish();
      if (this.#last.get(key) === done) this.#last.delete(key);
    }
  }
}
