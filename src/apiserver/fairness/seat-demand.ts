/** How many seats were wanted, weighted by how long, since it was last asked; and smoothed over some minutes. */
export class SeatDemand {
  /** The highest there was in the last period. */
  highest = 0;
  average = 0;
  deviation = 0;
  smoothed = 0;
  #seats = 0;
  #peak = 0;
  #lastMs: number;
  #startMs: number;
  #area = 0;
  #squares = 0;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
    this.#startMs = nowMs;
  }

  get seats(): number {
    return this.#seats;
  }

  change(by: number, nowMs: number): void {
    this.#pass(nowMs);
    this.#seats += by;
    if (this.#seats > this.#peak) this.#peak = this.#seats;
  }

  /** Ends a period. */
  settle(nowMs: number): void {
    this.#pass(nowMs);
    const spanMs = nowMs - this.#startMs;
    this.highest = this.#peak;
    this.average = spanMs > 0 ? this.#area / spanMs : this.#seats;
    const square = spanMs > 0 ? this.#squares / spanMs : this.#seats ** 2;
    this.deviation = Math.sqrt(Math.max(0, square - this.average ** 2));
    const envelope = Math.min(this.highest, this.average + this.deviation);
    this.smoothed = Math.max(envelope, smoothing * this.smoothed + (1 - smoothing) * envelope);
    this.#peak = this.#seats;
    this.#area = 0;
    this.#squares = 0;
    this.#startMs = nowMs;
  }

  #pass(nowMs: number): void {
    const spanMs = nowMs - this.#lastMs;
    if (spanMs <= 0) return;
    this.#lastMs = nowMs;
    this.#area += this.#seats * spanMs;
    this.#squares += this.#seats ** 2 * spanMs;
  }
}

/** Halves in five minutes of ten-second periods: upstream's. */
const smoothing = 0.977;
