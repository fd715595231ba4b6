/** As upstream: a pod that keeps ending is made anew after one second, then two, up to fifteen minutes. */
const delayMinMs = 1_000;
const delayMaxMs = 900_000;

/** What did not fail for twice the longest delay begins anew. */
const forgetMs = 2 * delayMaxMs;

/** How long to wait until something is tried again. */
export class FailureBackOff {
  readonly #failures = new Map<string, Failure>();

  /** 0: now, and that is noted. Otherwise how long to wait. */
  take(key: string, nowMs: number): number {
    const known = this.#known(key, nowMs);
    const recent = known !== undefined && nowMs - known.atMs < forgetMs ? known : undefined;
    const waitMs = recent ? recent.atMs + recent.delayMs - nowMs : 0;
    if (waitMs > 0) return waitMs;
    const delayMs = recent ? Math.min(recent.delayMs * 2, delayMaxMs) : delayMinMs;
    // Newest last: the oldest are forgotten first.
    this.#failures.delete(key);
    this.#failures.set(key, { atMs: nowMs, delayMs });
    this.#forget(nowMs);
    return 0;
  }

  /** Where the clock was put back, what seems to come later is of now. */
  #known(key: string, nowMs: number): Failure | undefined {
    const known = this.#failures.get(key);
    if (known === undefined || known.atMs <= nowMs) return known;
    const rebased = { ...known, atMs: nowMs };
    this.#failures.set(key, rebased);
    return rebased;
  }

  #forget(nowMs: number): void {
    for (const [key, { atMs }] of this.#failures) {
      if (nowMs - atMs < forgetMs) return;
      this.#failures.delete(key);
    }
  }
}

interface Failure {
  readonly atMs: number;
  readonly delayMs: number;
}
