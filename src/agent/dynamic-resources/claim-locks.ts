/** Lets work on the same claims be done one after the other, on others at the same time. */
export class ClaimLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** All of the claims are taken at once, in the order of the calls: nobody waits for one who waits for them. */
  async hold<T>(claims: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = claims.flatMap((claim) => this.#last.get(claim) ?? []);
    const mine = Promise.all(before).then(work);
    const done = mine.catch(() => {});
    for (const claim of claims) this.#last.set(claim, done);
    try {
      return await mine;
    } finally {
      for (const claim of claims) if (this.#last.get(claim) === done) this.#last.delete(claim);
    }
  }
}
