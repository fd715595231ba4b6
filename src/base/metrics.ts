/** Counters, gauges and histograms, and their text form for Prometheus (exposition format 0.0.4). */
export class MetricsRegistry {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    return this.#register(name, new Counter(name, help));
  }

  gauge(name: string, help: string): Gauge {
    return this.#register(name, new Gauge(name, help));
  }

  /** A gauge that is read when it is asked for. */
  observedGauge(name: string, help: string, read: () => Iterable<Sample>): void {
    this.#register(name, new ObservedGauge({ name, help, kind: "gauge", read }));
  }

  /** Like `observedGauge`, for what only grows. */
  observedCounter(name: string, help: string, read: () => Iterable<Sample>): void {
    this.#register(name, new ObservedGauge({ name, help, kind: "counter", read }));
  }

  /** `buckets`: upper bounds, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return this.#register(name, new Histogram({ name, help, buckets }));
  }

  /** A histogram that is read when it is asked for. */
  observedHistogram(
    name: string,
    observed: { readonly help: string; readonly buckets: readonly number[] },
    read: () => Iterable<HistogramSample>,
  ): void {
    this.#register(name, new ObservedHistogram({ name, ...observed }, read));
  }

  exposition(): string {
    return Array.from(this.#families.values(), (family) => family.lines().join("\n"))
      .join("\n")
      .concat("\n");
  }

  #register<T extends Family>(name: string, family: T): T {
    if (this.#families.has(name)) throw new Error(`Cannot register metric "${name}": it exists`);
    this.#families.set(name, family);
    return family;
  }
}

export type MetricLabels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** What a histogram has seen. */
export interface HistogramState {
  /** Not cumulative: values in each bucket alone. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

export interface HistogramSample {
  readonly labels: MetricLabels;
  readonly state: HistogramState;
}

interface Family {
  lines(): readonly string[];
}

export class Counter implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #values = new Values();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: MetricLabels, amount = 1): void {
    this.#values.at(labels).value += amount;
  }

  /** The number of one set of labels, for those who count often. */
  series(labels: MetricLabels): { value: number } {
    return this.#values.at(labels);
  }

  value(labels: MetricLabels): number {
    return this.#values.at(labels).value;
  }

  lines(): readonly string[] {
    return [...head(this.#name, this.#help, "counter"), ...this.#values.lines(this.#name)];
  }
}

export class Gauge implements Family {
  readonly #name: string;
  readonly #help: string;
  readonly #values = new Values();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: MetricLabels, amount: number): void {
    this.#values.at(labels).value += amount;
  }

  /** The number of one set of labels, for those who change it often. */
  series(labels: MetricLabels): { value: number } {
    return this.#values.at(labels);
  }

  set(labels: MetricLabels, value: number): void {
    this.#values.at(labels).value = value;
  }

  value(labels: MetricLabels): number {
    return this.#values.at(labels).value;
  }

  lines(): readonly string[] {
    return [...head(this.#name, this.#help, "gauge"), ...this.#values.lines(this.#name)];
  }
}

/** One number for each set of labels. */
class Values {
  readonly #samples = new Map<string, { readonly labels: MetricLabels; value: number }>();

  at(labels: MetricLabels): { value: number } {
    const key = keyOf(labels);
    let sample = this.#samples.get(key);
    if (sample === undefined) {
      sample = { labels, value: 0 };
      this.#samples.set(key, sample);
    }
    return sample;
  }

  lines(name: string): readonly string[] {
    return Array.from(
      this.#samples.values(),
      ({ labels, value }) => `${name}${printLabels(labels)} ${value}`,
    );
  }
}

interface Observed {
  readonly name: string;
  readonly help: string;
  readonly kind: "gauge" | "counter";
  readonly read: () => Iterable<Sample>;
}

class ObservedGauge implements Family {
  readonly #observed: Observed;

  constructor(observed: Observed) {
    this.#observed = observed;
  }

  lines(): readonly string[] {
    const { name, help, kind, read } = this.#observed;
    const samples = Array.from(
      read(),
      ({ labels, value }) => `${name}${printLabels(labels)} ${value}`,
    );
    return [...head(name, help, kind), ...samples];
  }
}

interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly buckets: readonly number[];
}

export class Histogram implements Family {
  readonly #options: HistogramOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: HistogramOptions) {
    this.#options = options;
  }

  observe(labels: MetricLabels, value: number): void {
    this.series(labels).observe(value);
  }

  /** What one set of labels has seen, for those who measure often. */
  series(labels: MetricLabels): { observe(value: number): void } {
    const key = keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = new Series(labels, this.#options.buckets);
      this.#series.set(key, series);
    }
    return series;
  }

  lines(): readonly string[] {
    const samples = Array.from(this.#series.values(), (state) => ({ labels: state.labels, state }));
    return histogramLines(this.#options, samples);
  }
}

class ObservedHistogram implements Family {
  readonly #options: HistogramOptions;
  readonly #read: () => Iterable<HistogramSample>;

  constructor(options: HistogramOptions, read: () => Iterable<HistogramSample>) {
    this.#options = options;
    this.#read = read;
  }

  lines(): readonly string[] {
    return histogramLines(this.#options, this.#read());
  }
}

function histogramLines(
  { name, help, buckets }: HistogramOptions,
  samples: Iterable<HistogramSample>,
): string[] {
  const lines = head(name, help, "histogram");
  for (const { labels, state } of samples) {
    let total = 0;
    for (const [index, bound] of buckets.entries()) {
      total += state.counts[index] ?? 0;
      lines.push(`${name}_bucket${printLabels({ ...labels, le: String(bound) })} ${total}`);
    }
    lines.push(
      `${name}_bucket${printLabels({ ...labels, le: "+Inf" })} ${state.count}`,
      `${name}_sum${printLabels(labels)} ${state.sum}`,
      `${name}_count${printLabels(labels)} ${state.count}`,
    );
  }
  return lines;
}

class Series implements HistogramState {
  readonly labels: MetricLabels;
  /** Not cumulative: values in each bucket alone. */
  readonly counts: number[];
  count = 0;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(labels: MetricLabels, bounds: readonly number[]) {
    this.labels = labels;
    this.counts = bounds.map(() => 0);
    this.#bounds = bounds;
  }

  observe(value: number): void {
    this.count += 1;
    this.sum += value;
    for (let at = 0; at < this.#bounds.length; at += 1) {
      if (value > (this.#bounds[at] ?? 0)) continue;
      this.counts[at] = (this.counts[at] ?? 0) + 1;
      return;
    }
  }
}

function head(name: string, help: string, kind: string): string[] {
  return [`# HELP ${name} ${help.replaceAll("\n", " ")}`, `# TYPE ${name} ${kind}`];
}

/** Labels are looked up with every request and printed seldom: a key takes no escapes. */
function keyOf(labels: MetricLabels): string {
  let key = "";
  for (const name in labels) key += `${name}\u0000${labels[name]}\u0001`;
  return key;
}

function printLabels(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("\n", String.raw`\n`);
}
