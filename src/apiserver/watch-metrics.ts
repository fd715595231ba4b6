import type { Kind } from "#api/kind.ts";
import type { Counter, Histogram, MetricsRegistry } from "#base/metrics.ts";

/** Counts the events that watchers were sent. */
export class WatchMetrics {
  readonly #events: Counter;
  readonly #sizes: Histogram;
  readonly #kinds = new WeakMap<Kind, EventSeries>();

  constructor(registry: MetricsRegistry) {
    this.#events = registry.counter(
      "apiserver_watch_events_total",
      "Events that were sent to watchers.",
    );
    this.#sizes = registry.histogram(
      "apiserver_watch_events_sizes",
      "The bytes of events that were sent to watchers.",
      [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072],
    );
  }

  of(kind: Kind): EventSeries {
    let series = this.#kinds.get(kind);
    if (series === undefined) {
      const { group, version, resource } = kind;
      const labels = { group, version, resource };
      series = new EventSeries(this.#events.series(labels), this.#sizes.series(labels));
      this.#kinds.set(kind, series);
    }
    return series;
  }
}

export class EventSeries {
  readonly #events: { value: number };
  readonly #sizes: { observe(value: number): void };

  constructor(events: { value: number }, sizes: { observe(value: number): void }) {
    this.#events = events;
    this.#sizes = sizes;
  }

  sent(bytes: number): void {
    this.#events.value += 1;
    this.#sizes.observe(bytes);
  }
}
