import type { Clock } from "#base/clock.ts";
import type { HistogramSample, MetricsRegistry, Sample } from "#base/metrics.ts";
import type { Borrowing } from "#apiserver/fairness/borrowing.ts";
import type { Configuration, Flow, FlowCounts } from "#apiserver/fairness/configuration.ts";
import type { Dispatched } from "#apiserver/fairness/fair-queues.ts";
import type { ReadsAndWrites } from "#apiserver/fairness/reads-and-writes.ts";
import type { PriorityLevel } from "#apiserver/fairness/priority-level.ts";
import { ratioBounds } from "#apiserver/fairness/timed-ratio.ts";

export interface MetricSources {
  readonly configuration: Configuration;
  readonly borrowing: Borrowing;
  readonly readsAndWrites: ReadsAndWrites;
  readonly clock: Clock;
}

export const prefix = "apiserver_flowcontrol_";

/** The metrics that are read from flows, levels and queues when somebody asks. */
export function registerObserved(registry: MetricsRegistry, sources: MetricSources): void {
  registerFlows(registry, sources);
  registerLevels(registry, sources);
  registerRatios(registry, sources);
  registry.observedGauge(
    `${prefix}seat_fair_frac`,
    "The part of its target that each level gets where its bounds allow it.",
    () => [{ labels: {}, value: sources.borrowing.fairShare }],
  );
}

export function flowLabels({ name, level }: Flow): Record<string, string> {
  return { priority_level: level.name, flow_schema: name };
}

function registerFlows(registry: MetricsRegistry, { configuration }: MetricSources): void {
  const read =
    (value: (counts: FlowCounts) => number): (() => Sample[]) =>
    () =>
      configuration.flows.map((flow) => ({ labels: flowLabels(flow), value: value(flow.counts) }));
  const gauge = (name: string, help: string, value: (counts: FlowCounts) => number): void =>
    registry.observedGauge(prefix + name, help, read(value));
  registry.observedCounter(
    `${prefix}dispatched_requests_total`,
    "Requests that were let in.",
    read(({ dispatched }) => dispatched),
  );
  gauge("current_executing_requests", "Requests that are carried out.", (flow) => flow.executing);
  gauge("current_executing_seats", "Seats that are used.", (flow) => flow.seatsInUse);
  gauge("current_inqueue_requests", "Requests that wait.", (flow) => flow.waiting);
  gauge("current_inqueue_seats", "Seats that are waited for.", (flow) => flow.seatsWaiting);
}

function registerLevels(registry: MetricsRegistry, { configuration }: MetricSources): void {
  const read =
    (valuesOf: (level: PriorityLevel) => readonly Sample[]): (() => Sample[]) =>
    () =>
      configuration.levels().flatMap((level) =>
        valuesOf(level).map(({ labels, value }) => ({
          labels: { priority_level: level.name, ...labels },
          value,
        })),
      );
  for (const [name, help, value] of gauges) {
    const valuesOf = (level: PriorityLevel): Sample[] => [{ labels: {}, value: value(level) }];
    registry.observedGauge(prefix + name, help, read(valuesOf));
  }
  const ofTime = ({ time }: PriorityLevel): Sample[] =>
    time === undefined ? [] : [{ labels: {}, value: time }];
  registry.observedGauge(`${prefix}current_r`, "The time of its queues.", read(ofTime));
  for (const [name, help, valuesOf] of dispatchGauges) {
    const ofLevel = ({ lastDispatched }: PriorityLevel): readonly Sample[] =>
      lastDispatched === undefined ? [] : valuesOf(lastDispatched);
    registry.observedGauge(prefix + name, help, read(ofLevel));
  }
}

const gauges: readonly (readonly [string, string, (level: PriorityLevel) => number])[] = [
  ["nominal_limit_seats", "Seats by shares alone.", (level) => level.nominal],
  ["lower_limit_seats", "Seats that are never lent.", (level) => level.lower],
  ["upper_limit_seats", "Seats with all that may be borrowed.", (level) => level.upper],
  ["current_limit_seats", "Seats that may be used now.", (level) => level.current],
  ["target_seats", "Seats that would be right by demand.", (level) => level.target],
  ["demand_seats_high_watermark", "Most seats wanted at once.", ({ demand }) => demand.highest],
  ["demand_seats_average", "Seats wanted on average.", ({ demand }) => demand.average],
  ["demand_seats_stdev", "Deviation of the seats wanted.", ({ demand }) => demand.deviation],
  ["demand_seats_smoothed", "Seats wanted, smoothed.", ({ demand }) => demand.smoothed],
];

/** Of the request that last began after a wait. */
const dispatchGauges: readonly (readonly [
  string,
  string,
  (last: Dispatched) => readonly Sample[],
])[] = [
  ["dispatch_r", "The time of the queues then.", ({ time }) => [{ labels: {}, value: time }]],
  ["latest_s", "When its queue was to begin.", ({ start }) => [{ labels: {}, value: start }]],
  ["next_s_bounds", "When queues were to begin.", ({ starts }) => boundSamples(starts)],
  [
    "next_discounted_s_bounds",
    "When queues were to begin, less what is taken to be under way.",
    ({ discounted }) => boundSamples(discounted),
  ],
];

function boundSamples({ min, max }: Dispatched["starts"]): readonly Sample[] {
  return [
    { labels: { bound: "min" }, value: min },
    { labels: { bound: "max" }, value: max },
  ];
}

function registerRatios(registry: MetricsRegistry, sources: MetricSources): void {
  const { configuration, readsAndWrites, clock } = sources;
  const register = (
    name: keyof typeof ratioBounds,
    help: string,
    read: (nowMs: number) => readonly HistogramSample[],
  ): void =>
    registry.observedHistogram(prefix + name, { help, buckets: ratioBounds[name] }, () =>
      read(clock.now()),
    );
  const ofLevels = (nowMs: number, samplesOf: (level: PriorityLevel) => HistogramSample[]) =>
    configuration.levels().flatMap((level) => {
      level.measureUntil(nowMs);
      return samplesOf(level);
    });
  register("priority_level_seat_utilization", "Time by how many seats were used.", (nowMs) =>
    ofLevels(nowMs, ({ name, utilization }) => [
      { labels: { priority_level: name, phase: "executing" }, state: utilization.seats },
    ]),
  );
  register("priority_level_request_utilization", "Time by how many requests there were.", (nowMs) =>
    ofLevels(nowMs, ({ name, utilization }) => [
      { labels: { phase: "waiting", priority_level: name }, state: utilization.waiting },
      { labels: { phase: "executing", priority_level: name }, state: utilization.executing },
    ]),
  );
  register("demand_seats", "Time by how many seats were wanted.", (nowMs) =>
    ofLevels(nowMs, ({ name, utilization }) => [
      { labels: { priority_level: name }, state: utilization.demand },
    ]),
  );
  register("read_vs_write_current_requests", "Time by how many requests there were.", (nowMs) =>
    readsAndWrites
      .ratios(nowMs)
      .map(({ phase, kind, ratio }) => ({ labels: { phase, request_kind: kind }, state: ratio })),
  );
}
