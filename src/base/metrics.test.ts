import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "#base/metrics.ts";

test("MetricsRegistry prints what it holds in the text format of Prometheus", () => {
  const registry = new MetricsRegistry();
  const requests = registry.counter("requests_total", "Requests.");
  requests.add({ code: "200" });
  requests.add({ code: "200" }, 2);
  requests.add({ code: 'a"b\\c\n' });
  registry.gauge("open", "Open.").set({}, 7);
  registry.observedGauge("seen", "Seen.", () => [{ labels: { of: "x" }, value: 1 }]);
  const durations = registry.histogram("seconds", "Seconds.", [0.1, 1]);
  for (const seconds of [0.1, 0.5, 3]) durations.observe({ verb: "GET" }, seconds);
  assert.equal(
    registry.exposition(),
    [
      "# HELP requests_total Requests.",
      "# TYPE requests_total counter",
      'requests_total{code="200"} 3',
      String.raw`requests_total{code="a\"b\\c\n"} 1`,
      "# HELP open Open.",
      "# TYPE open gauge",
      "open 7",
      "# HELP seen Seen.",
      "# TYPE seen gauge",
      'seen{of="x"} 1',
      "# HELP seconds Seconds.",
      "# TYPE seconds histogram",
      'seconds_bucket{verb="GET",le="0.1"} 1',
      'seconds_bucket{verb="GET",le="1"} 2',
      'seconds_bucket{verb="GET",le="+Inf"} 3',
      'seconds_sum{verb="GET"} 3.6',
      'seconds_count{verb="GET"} 3',
      "",
    ].join("\n"),
  );
});
