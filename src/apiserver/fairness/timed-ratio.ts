import type { HistogramState } from "#base/metrics.ts";

/**
 * How long a ratio was of which size: upstream's histograms of "observations, at the end of every nanosecond". Clocks
 * count milliseconds here, so observations come by the million.
 */
export class TimedRatio implements HistogramState {
  /** Not cumulative: nanoseconds in each bucket alone. */
  readonly counts: number[];
  count = 0;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  /** The ratio was this one for so long. */
  was(ratio: number, spanMs: number): void {
    const nanoseconds = spanMs * 1e6;
    this.count += nanoseconds;
    this.sum += ratio * nanoseconds;
    const at = this.#bounds.findIndex((bound) => ratio <= bound);
    if (at >= 0) this.counts[at] = (this.counts[at] ?? 0) + nanoseconds;
  }
}

/** Upstream's bounds, by the name of the metric. */
export const ratioBounds = {
  priority_level_seat_utilization: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1],
  priority_level_request_utilization: [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1],
  read_vs_write_current_requests: [
    0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1,
  ],
  demand_seats: [0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.7, 2, 2.8, 4, 6],
} as const;
