import type { Clock } from "#base/clock.ts";
import type { Counter, Gauge, Histogram, MetricsRegistry } from "#base/metrics.ts";

/** What is measured of work queues, under upstream's names. */
export interface QueueMetrics {
  /** The meter of one queue; queues of one name are counted together. */
  of(name: string): QueueMeter;
}

/** Told by a queue what becomes of its keys: each call costs a number or two. */
export interface QueueMeter {
  /** The key waits; it did not before. */
  added(key: string): void;
  retried(): void;
  taken(key: string): void;
  done(key: string): void;
  /** Nothing waits any more. */
  closed(): void;
}

/** From ten nanoseconds on, each ten times the one before, as upstream's. */
const durations = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10];

export function createQueueMetrics(registry: MetricsRegistry, clock: Clock): QueueMetrics {
  const families = familiesIn(registry);
  const meters = new Set<KeyMeter>();
  const agesOf = (fold: (ages: readonly number[]) => number) => () =>
    Array.from(
      Map.groupBy(meters, ({ name }) => name),
      ([name, same]) => ({
        labels: { name },
        value: fold(same.flatMap((meter) => meter.agesMs())) / 1_000,
      }),
    );
  registry.observedGauge(
    "workqueue_unfinished_work_seconds",
    "How long the keys that are being worked on have been, all together.",
    agesOf((ages) => ages.reduce((sum, age) => sum + age, 0)),
  );
  registry.observedGauge(
    "workqueue_longest_running_processor_seconds",
    "How long the key that has been worked on the longest has been.",
    agesOf((ages) => ages.reduce((longest, age) => Math.max(longest, age), 0)),
  );
  return {
    of: (name) => {
      const meter: KeyMeter = new KeyMeter(name, families, {
        clock,
        onClosed: () => meters.delete(meter),
      });
      meters.add(meter);
      return meter;
    },
  };
}

interface Families {
  readonly depth: Gauge;
  readonly adds: Counter;
  readonly retries: Counter;
  readonly waited: Histogram;
  readonly worked: Histogram;
}

function familiesIn(registry: MetricsRegistry): Families {
  return {
    depth: registry.gauge("workqueue_depth", "Keys that wait in the queue."),
    adds: registry.counter("workqueue_adds_total", "Keys that came into the queue."),
    retries: registry.counter("workqueue_retries_total", "Keys that were put off."),
    waited: registry.histogram(
      "workqueue_queue_duration_seconds",
      "How long keys waited until they were taken.",
      durations,
    ),
    worked: registry.histogram(
      "workqueue_work_duration_seconds",
      "How long it took to work on a key.",
      durations,
    ),
  };
}

interface MeterParts {
  readonly clock: Clock;
  readonly onClosed: () => void;
}

class KeyMeter implements QueueMeter {
  readonly name: string;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  readonly #depth: { value: number };
  readonly #adds: { value: number };
  readonly #retries: { value: number };
  readonly #waited: { observe(value: number): void };
  readonly #worked: { observe(value: number): void };
  readonly #waitingSince = new Map<string, number>();
  readonly #workingSince = new Map<string, number>();

  constructor(name: string, families: Families, { clock, onClosed }: MeterParts) {
    const labels = { name };
    this.#onClosed = onClosed;
    this.name = name;
    this.#clock = clock;
    this.#depth = families.depth.series(labels);
    this.#adds = families.adds.series(labels);
    this.#retries = families.retries.series(labels);
    this.#waited = families.waited.series(labels);
    this.#worked = families.worked.series(labels);
  }

  added(key: string): void {
    this.#adds.value += 1;
    this.#depth.value += 1;
    this.#waitingSince.set(key, this.#clock.now());
  }

  retried(): void {
    this.#retries.value += 1;
  }

  taken(key: string): void {
    const nowMs = this.#clock.now();
    this.#depth.value -= 1;
    this.#waited.observe((nowMs - (this.#waitingSince.get(key) ?? nowMs)) / 1_000);
    this.#waitingSince.delete(key);
    this.#workingSince.set(key, nowMs);
  }

  done(key: string): void {
    const startMs = this.#workingSince.get(key);
    if (startMs === undefined) return;
    this.#workingSince.delete(key);
    this.#worked.observe((this.#clock.now() - startMs) / 1_000);
  }

  closed(): void {
    this.#depth.value -= this.#waitingSince.size;
    this.#waitingSince.clear();
    this.#onClosed();
  }

  agesMs(): readonly number[] {
    const nowMs = this.#clock.now();
    return Array.from(this.#workingSince.values(), (startMs) => nowMs - startMs);
  }
}
