import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { createStoreCache } from "#apiserver/cache/store-cache.ts";
import { Fairness, type Admitted } from "#apiserver/fairness/fairness.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import { TestClock } from "#test/api-server.ts";

/**
 * Upstream's families of 1.36 with types and labels. Not here: `request_concurrency_limit` and
 * `request_concurrency_in_use`, which upstream hides since they are deprecated; `epoch_advance_total`, of which
 * upstream too shows nothing until its clock of seats runs over, which ours does not; `watch_count_samples`, because
 * here nothing depends on how many watch.
 */
const upstream = `
current_executing_requests gauge flow_schema,priority_level
current_executing_seats gauge flow_schema,priority_level
current_inqueue_requests gauge flow_schema,priority_level
current_inqueue_seats gauge flow_schema,priority_level
current_limit_seats gauge priority_level
current_r gauge priority_level
demand_seats histogram priority_level
demand_seats_average gauge priority_level
demand_seats_high_watermark gauge priority_level
demand_seats_smoothed gauge priority_level
demand_seats_stdev gauge priority_level
dispatch_r gauge priority_level
dispatched_requests_total counter flow_schema,priority_level
latest_s gauge priority_level
lower_limit_seats gauge priority_level
next_discounted_s_bounds gauge bound,priority_level
next_s_bounds gauge bound,priority_level
nominal_limit_seats gauge priority_level
priority_level_request_utilization histogram phase,priority_level
priority_level_seat_utilization histogram phase,priority_level
read_vs_write_current_requests histogram phase,request_kind
rejected_requests_total counter flow_schema,priority_level,reason
request_dispatch_no_accommodation_total counter flow_schema,priority_level
request_execution_seconds histogram flow_schema,priority_level,type
request_queue_length_after_enqueue histogram flow_schema,priority_level
request_wait_duration_seconds histogram execute,flow_schema,priority_level
seat_fair_frac gauge
target_seats gauge priority_level
upper_limit_seats gauge priority_level
work_estimated_seats histogram flow_schema,priority_level
`;

test("metrics of fairness have upstream's names, types and labels, and tell what went on", async () => {
  const clock = new TestClock();
  const metrics = new MetricsRegistry();
  await using cache = await createStoreCache({ store: createMemoryStore(), log: silentLog, clock });
  using fairness = new Fairness({ cache, clock, metrics, seats: 12 });
  const enter = () => fairness.enter({ ...jane, request: { signal: abort.signal } });
  const abort = new AbortController();
  const level = fairness.configuration.levels().find(({ name }) => name === "global-default");
  assert.equal(level?.current, 1, "one request at a time");

  const first = enter() as Admitted;
  const second = enter() as Promise<Admitted>;
  const third = assert.rejects(enter() as Promise<Admitted>);
  assert.deepEqual(ownLines(metrics, "current_"), [
    "current_executing_requests{} 1",
    "current_executing_seats{} 1",
    "current_inqueue_requests{} 2",
    "current_inqueue_seats{} 2",
  ]);
  clock.advance(40);
  first.leave();
  const admitted = await second;
  abort.abort();
  await third;
  clock.advance(60);
  admitted.leave();

  assert.deepEqual(familiesOf(metrics), upstream.trim().split("\n"));
  assert.deepEqual(
    ownLines(metrics, "").filter((line) => /_total\{|_sum\{|current_.*\{/.test(line)),
    [
      "current_executing_requests{} 0",
      "current_executing_seats{} 0",
      "current_inqueue_requests{} 0",
      "current_inqueue_seats{} 0",
      "dispatched_requests_total{} 2",
      'rejected_requests_total{reason="time-out"} 1',
      "request_dispatch_no_accommodation_total{} 3",
      'request_execution_seconds_sum{type="regular"} 0.1',
      "request_queue_length_after_enqueue_sum{} 2",
      'request_wait_duration_seconds_sum{execute="false"} 0.04',
      'request_wait_duration_seconds_sum{execute="true"} 0.04',
      "work_estimated_seats_sum{} 3",
    ],
  );
  const milliseconds = metrics
    .exposition()
    .split("\n")
    .filter((line) => /(_utilization|demand_seats|read_vs.*)_(sum|count)\{/.test(line))
    .filter((line) => line.includes("global-default") || line.includes('"mutating"'))
    .map((line) => line.replace(/^apiserver_flowcontrol_|priority_level="global-default",?/g, ""))
    .map((line) => line.replace(/ (\S+)$/, (_, value) => ` ${rounded(Number(value) / 1e6)}`));
  const limits = fairness.configuration.limits();
  assert.deepEqual(milliseconds.toSorted(), [
    `demand_seats_count{} 100`,
    `demand_seats_sum{} ${40 * 3 + 60}`,
    `priority_level_request_utilization_count{phase="executing",} 100`,
    `priority_level_request_utilization_count{phase="waiting",} 100`,
    `priority_level_request_utilization_sum{phase="executing",} 100`,
    `priority_level_request_utilization_sum{phase="waiting",} ${rounded((40 * 2) / (level?.waitingMax ?? 0))}`,
    `priority_level_seat_utilization_count{phase="executing"} 100`,
    `priority_level_seat_utilization_sum{phase="executing"} 100`,
    `read_vs_write_current_requests_count{phase="executing",request_kind="mutating"} 100`,
    `read_vs_write_current_requests_count{phase="waiting",request_kind="mutating"} 100`,
    `read_vs_write_current_requests_sum{phase="executing",request_kind="mutating"} ${rounded(100 / limits.executing)}`,
    `read_vs_write_current_requests_sum{phase="waiting",request_kind="mutating"} ${rounded(80 / limits.waiting)}`,
  ]);
});

/** Sums of doubles depend on their order in the last digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(9));
}

const post = requestInfo("POST", "/api/v1/namespaces/a/configmaps", new URLSearchParams());
assert.ok(post);
const jane = {
  user: { name: "jane", groups: ["system:authenticated"] },
  info: post,
  seats: 1,
};

/** What is told of the flow schema `global-default`, in short, sorted. */
function ownLines(metrics: MetricsRegistry, start: string): string[] {
  const labels = /priority_level="global-default",flow_schema="global-default",?/;
  return metrics
    .exposition()
    .split("\n")
    .filter((line) => line.startsWith(`apiserver_flowcontrol_${start}`) && labels.test(line))
    .map((line) => line.replace("apiserver_flowcontrol_", "").replace(labels, ""))
    .filter((line) => !line.includes("_bucket") && !line.includes("_count"))
    .toSorted();
}

function familiesOf(metrics: MetricsRegistry): string[] {
  const families = new Map<string, { type: string; labels: Set<string> }>();
  let current: Set<string> = new Set();
  for (const line of metrics.exposition().split("\n")) {
    const [, name = "", type = ""] = /^# TYPE apiserver_flowcontrol_(\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "") families.set(name, { type, labels: (current = new Set()) });
    if (line.startsWith("#")) continue;
    for (const [, label = ""] of line.matchAll(/[{,](\w+)="/g))
      if (label !== "le") current.add(label);
  }
  return Array.from(families, ([name, { type, labels }]) =>
    [name, type, [...labels].toSorted().join(",")].join(" ").trim(),
  ).toSorted();
}
