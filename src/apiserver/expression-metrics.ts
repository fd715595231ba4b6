import type { Clock } from "#base/clock.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import { measureExpressions } from "#api/cel/meter.ts";

/** The metrics of CEL expressions under upstream's names, until disposed of. */
export function expressionMetrics(registry: MetricsRegistry, clock: Clock): Disposable {
  const compilations = registry.histogram(
    "apiserver_cel_compilation_duration_seconds",
    "How long CEL expressions took to compile.",
    durations,
  );
  const evaluations = registry.histogram(
    "apiserver_cel_evaluation_duration_seconds",
    "How long CEL expressions took to work out.",
    durations,
  );
  const compiled = compilations.series({});
  const evaluated = evaluations.series({});
  return measureExpressions({
    now: () => clock.now(),
    compiled: (durationMs) => compiled.observe(durationMs / 1_000),
    evaluated: (durationMs) => evaluated.observe(durationMs / 1_000),
  });
}

/** Prometheus' own, which upstream leaves as they are. */
const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
