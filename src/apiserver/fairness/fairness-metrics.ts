import type { Counter, Histogram, MetricsRegistry, Sample } from "#base/metrics.ts";
import type { Configuration, Flow } from "#apiserver/fairness/configuration.ts";
import type { PriorityLevel } from "#apiserver/fairness/priority-level.ts";

/** What is counted of each request; the rest is read from the levels when somebody asks. */
export interface FairnessMetrics {
  readonly rejected: Counter;
  readonly waited: Histogram;
  readonly queueLengths: Histogram;
}

/** The metrics of priority and fairness under upstream's names. */
export function createFairnessMetrics(
  registry: MetricsRegistry,
  configuration: Configuration,
): FairnessMetrics {
  registerLevels(registry, configuration);
  registry.observedCounter(`${prefix}dispatched_requests_total`, "Requests that were let in.", () =>
    configuration.flows.map((flow) => ({ labels: flowLabels(flow), value: flow.dispatched })),
  );
  return {
    rejected: registry.counter(`${prefix}rejected_requests_total`, "Requests that were refused."),
    waited: registry.histogram(
      `${prefix}request_wait_duration_seconds`,
      "How long requests waited in a queue, of those that had to.",
      [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
    ),
    queueLengths: registry.histogram(
      `${prefix}request_queue_length_after_enqueue`,
      "How long queues were with the request that came last.",
      [0, 10, 25, 50, 100, 250, 500, 1_000],
    ),
  };
}

const prefix = "apiserver_flowcontrol_";

export function flowLabels({ name, level }: Flow): Record<string, string> {
  return { priority_level: level.name, flow_schema: name };
}

function registerLevels(registry: MetricsRegistry, configuration: Configuration): void {
  const read =
    (value: (level: PriorityLevel) => number): (() => Sample[]) =>
    () =>
      configuration
        .levels()
        .map((level) => ({ labels: { priority_level: level.name }, value: value(level) }));
  for (const [name, help, value] of gauges) {
    registry.observedGauge(prefix + name, help, read(value));
  }
}

const gauges: readonly (readonly [string, string, (level: PriorityLevel) => number])[] = [
  ["nominal_limit_seats", "Seats by shares alone.", (level) => level.nominal],
  ["lower_limit_seats", "Seats that are never lent.", (level) => level.lower],
  ["upper_limit_seats", "Seats with all that may be borrowed.", (level) => level.upper],
  ["current_limit_seats", "Seats that may be used now.", (level) => level.current],
  ["target_seats", "Seats that would be right by demand.", (level) => level.target],
  ["current_executing_requests", "Requests that are carried out.", (level) => level.executing],
  ["current_executing_seats", "Seats that are used.", (level) => level.seatsInUse],
  ["current_inqueue_requests", "Requests that wait.", (level) => level.waiting],
  ["demand_seats_high_watermark", "Most seats wanted at once.", ({ demand }) => demand.highest],
  ["demand_seats_average", "Seats wanted on average.", ({ demand }) => demand.average],
  ["demand_seats_stdev", "Deviation of the seats wanted.", ({ demand }) => demand.deviation],
  ["demand_seats_smoothed", "Seats wanted, smoothed.", ({ demand }) => demand.smoothed],
];
