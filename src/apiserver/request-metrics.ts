import type { Counter, Gauge, Histogram, MetricsRegistry } from "#base/metrics.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** What is counted of requests, under upstream's names, so that existing dashboards and alerts read it. */
export class RequestMetrics {
  readonly #families: Families;
  readonly #targets = new Map<string, RequestSeries>();

  constructor(registry: MetricsRegistry) {
    this.#families = familiesIn(registry);
  }

  /** Everything that is counted of requests to one target; `info` holds nothing that a caller makes up. */
  of(info: RequestInfo, dryRun: boolean): RequestSeries {
    const { group, version, resource, subresource } = info;
    const verb = verbLabel(info);
    const scope = scopeOf(info);
    const key = `${verb} ${scope} ${dryRun ? "All" : ""} ${resource} ${subresource} ${group} ${version}`;
    let series = this.#targets.get(key);
    if (series === undefined) {
      const labels = { verb, group, version, resource, subresource, scope, component: "apiserver" };
      series = new RequestSeries(this.#families, labels, dryRun ? "All" : "");
      this.#targets.set(key, series);
    }
    return series;
  }
}

/** The numbers of one verb on one resource. */
export class RequestSeries {
  readonly #families: Families;
  readonly #labels: TargetLabels;
  readonly #dryRun: string;
  readonly #codes = new Map<number, { value: number }>();
  #durations: { observe(value: number): void }[] | undefined;
  #sizes: { observe(value: number): void } | undefined;

  constructor(families: Families, labels: TargetLabels, dryRun: string) {
    this.#families = families;
    this.#labels = labels;
    this.#dryRun = dryRun;
  }

  answered(code: number): void {
    let count = this.#codes.get(code);
    if (count === undefined) {
      const labels = { ...this.#labels, dry_run: this.#dryRun, code: String(code) };
      count = this.#families.requests.series({ ...labels, system_client: "" });
      this.#codes.set(code, count);
    }
    count.value += 1;
  }

  took(seconds: number): void {
    this.#durations ??= [
      this.#families.durations.series({ ...this.#labels, dry_run: this.#dryRun }),
      this.#families.sliDurations.series(this.#labels),
    ];
    for (const series of this.#durations) series.observe(seconds);
  }

  sent(bytes: number): void {
    this.#sizes ??= this.#families.sizes.series(this.#labels);
    this.#sizes.observe(bytes);
  }

  /** Counts a stream among those open until the answer is called. */
  opened(): () => void {
    const count = this.#families.longRunning.series(this.#labels);
    count.value += 1;
    let open = true;
    return () => {
      if (open) count.value -= 1;
      open = false;
    };
  }
}

interface TargetLabels extends Readonly<Record<string, string>> {
  readonly verb: string;
}

interface Families {
  readonly requests: Counter;
  readonly durations: Histogram;
  readonly sliDurations: Histogram;
  readonly sizes: Histogram;
  readonly longRunning: Gauge;
}

function familiesIn(registry: MetricsRegistry): Families {
  return {
    requests: registry.counter(
      "apiserver_request_total",
      "Requests by verb, resource and the code that was answered.",
    ),
    durations: registry.histogram(
      "apiserver_request_duration_seconds",
      "How long requests took, watches and connections left out.",
      [0.005, 0.025, ...durationBounds],
    ),
    sliDurations: registry.histogram(
      "apiserver_request_sli_duration_seconds",
      "How long requests took, waiting for a turn left out.",
      durationBounds,
    ),
    sizes: registry.histogram(
      "apiserver_response_sizes",
      "The bytes of answers to reads.",
      [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
    ),
    longRunning: registry.gauge(
      "apiserver_longrunning_requests",
      "Watches and connections that are open.",
    ),
  };
}

const durationBounds = [
  0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

/** Paths that are no resource come without their verb, which a caller could choose freely. */
function verbLabel(info: RequestInfo): string {
  return verbLabels.get(info.verb) ?? "other";
}

const verbLabels = new Map(
  [
    ..."get list watch create update patch apply delete deletecollection".split(" "),
    ..."post put head options connect".split(" "),
  ].map((verb) => [verb, verb.toUpperCase()]),
);

function scopeOf(info: RequestInfo): string {
  if (!info.isResource) return "";
  if (info.name !== "") return "resource";
  return info.namespace === "" ? "cluster" : "namespace";
}
