import type { Clock } from "#base/clock.ts";
import type { Histogram, MetricsRegistry } from "#base/metrics.ts";
import type { AdmissionFunction } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";

/** Measures what single plugins take, under upstream's name. */
export class PluginMetrics {
  readonly #durations: Histogram;
  readonly #clock: Clock;

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    this.#durations = registry.histogram(
      "apiserver_admission_controller_admission_duration_seconds",
      "How long admission plugins took, by name, type and operation.",
      [0.005, 0.025, 0.1, 0.5, 1, 2.5],
    );
  }

  /** The plugin with its functions measured. */
  measured({ name, mutate, validate }: AdmissionPlugin): AdmissionPlugin {
    return {
      name,
      ...(mutate && { mutate: this.#measured(mutate, { name, type: "admit" }) }),
      ...(validate && { validate: this.#measured(validate, { name, type: "validate" }) }),
    };
  }

  /** A function that answers at once stays one that does: no promise is made for it. */
  #measured(act: AdmissionFunction, labels: PluginLabels): AdmissionFunction {
    const clock = this.#clock;
    const seriesOf = this.#seriesOf(labels);
    return (call, attempt) => {
      const startMs = clock.now();
      const ended = (rejected: boolean): void =>
        seriesOf(attempt.operation, rejected).observe((clock.now() - startMs) / 1_000);
      let passing: void | Promise<void>;
      try {
        passing = act(call, attempt);
      } catch (error) {
        ended(true);
        throw error;
      }
      if (passing === undefined) return ended(false);
      return passing.then(
        () => ended(false),
        (error: unknown) => {
          ended(true);
          throw error;
        },
      );
    };
  }

  /** Labels are looked up once for each operation and outcome. */
  #seriesOf({ name, type }: PluginLabels): (operation: string, rejected: boolean) => Series {
    const accepted = new Map<string, Series>();
    const refused = new Map<string, Series>();
    return (operation, rejected) => {
      const known = rejected ? refused : accepted;
      let series = known.get(operation);
      if (series === undefined) {
        const labels = { name, type, operation, rejected: String(rejected) };
        series = this.#durations.series(labels);
        known.set(operation, series);
      }
      return series;
    };
  }
}

interface PluginLabels {
  readonly name: string;
  readonly type: "admit" | "validate";
}

interface Series {
  observe(value: number): void;
}
