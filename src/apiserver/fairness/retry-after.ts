/** How long refused requests are told to stay away: longer the more of them there are, as upstream has it. */
export class RetryAfter {
  readonly #levels = new Map<string, { seconds: number; sinceMs: number; dropped: number }>();

  /** Counts a refusal and answers the seconds. */
  dropped(level: string, nowMs: number): number {
    const known = this.#levels.get(level) ?? { seconds: 1, sinceMs: nowMs, dropped: 0 };
    this.#levels.set(level, known);
    const spanMs = nowMs - known.sinceMs;
    if (spanMs >= known.seconds * 1_000) {
      const periods = spanMs / (known.seconds * 1_000);
      if (known.dropped >= 3 * known.seconds * periods) known.seconds *= 2;
      else if (known.dropped < known.seconds * periods) known.seconds /= 2;
      known.seconds = Math.min(secondsMax, Math.max(1, Math.floor(known.seconds)));
      known.sinceMs = nowMs;
      known.dropped = 0;
    }
    known.dropped += 1;
    return known.seconds;
  }
}

const secondsMax = 32;
