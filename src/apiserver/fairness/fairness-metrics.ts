import type { Counter, Histogram, MetricsRegistry } from "#base/metrics.ts";
import type { Flow, FlowCounts } from "#apiserver/fairness/configuration.ts";
import {
  flowLabels,
  prefix,
  registerObserved,
  type MetricSources,
} from "#apiserver/fairness/observed-metrics.ts";

/** What is counted of each request; the rest is read from flows and levels when somebody asks. */
export interface FairnessMetrics {
  readonly rejected: Counter;
  readonly waited: Histogram;
  readonly queueLengths: Histogram;
  readonly noRoom: Counter;
  arrived(flow: Flow, seats: number): void;
  executed(flow: Flow, isWatch: boolean, seconds: number): void;
}

/** The metrics of priority and fairness under upstream's names. */
export function createFairnessMetrics(
  registry: MetricsRegistry,
  sources: MetricSources,
): FairnessMetrics {
  registerObserved(registry, sources);
  return {
    rejected: registry.counter(`${prefix}rejected_requests_total`, "Requests that were refused."),
    waited: registry.histogram(
      `${prefix}request_wait_duration_seconds`,
      "How long requests waited in a queue, of those that had to.",
      durationBounds,
    ),
    queueLengths: registry.histogram(
      `${prefix}request_queue_length_after_enqueue`,
      "How long queues were with the request that came last.",
      [0, 10, 25, 50, 100, 250, 500, 1_000],
    ),
    noRoom: registry.counter(
      `${prefix}request_dispatch_no_accommodation_total`,
      "How often it was a request's turn and there were not seats enough.",
    ),
    ...requestMeters(registry),
  };
}

const durationBounds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

type Series = ReturnType<Histogram["series"]>;

/** Every request passes here, so each flow keeps its series. */
function requestMeters(registry: MetricsRegistry): Pick<FairnessMetrics, "arrived" | "executed"> {
  const seats = registry.histogram(
    `${prefix}work_estimated_seats`,
    "How many seats requests were taken to need.",
    [1, 2, 4, 8, 16, 32, 64, 100],
  );
  const executions = registry.histogram(
    `${prefix}request_execution_seconds`,
    "How long requests were carried out; watches, until they were open.",
    durationBounds,
  );
  const ofSeats = keptSeries((flow) => seats.series(flowLabels(flow)));
  const ofType = (type: string) =>
    keptSeries((flow) => executions.series({ ...flowLabels(flow), type }));
  const ofWatches = ofType("watch");
  const ofOthers = ofType("regular");
  return {
    arrived: (flow, count) => ofSeats(flow).observe(count),
    executed: (flow, isWatch, seconds) =>
      (isWatch ? ofWatches(flow) : ofOthers(flow)).observe(seconds),
  };
}

function keptSeries(find: (flow: Flow) => Series): (flow: Flow) => Series {
  const kept = new WeakMap<FlowCounts, Series>();
  return (flow) => {
    let series = kept.get(flow.counts);
    if (series === undefined) kept.set(flow.counts, (series = find(flow)));
    return series;
  };
}
