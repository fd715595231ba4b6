import { MetricsRegistry, type Counter, type Gauge } from "#base/metrics.ts";

/** What `/metrics/slis` tells: how the checks of health went, under upstream's names. */
export class HealthMetrics {
  readonly registry = new MetricsRegistry();
  readonly #last: Gauge;
  readonly #total: Counter;

  constructor() {
    this.#last = this.registry.gauge(
      "kubernetes_healthcheck",
      "Whether a check of health passed when it was last made.",
    );
    this.#total = this.registry.counter(
      "kubernetes_healthchecks_total",
      "Checks of health by name, type and how they went.",
    );
  }

  /** One check was made; `type` is the endpoint that asked for it, such as `readyz`. */
  observe(name: string, type: string, passed: boolean): void {
    this.#last.set({ name, type }, passed ? 1 : 0);
    this.#total.add({ name, type, status: passed ? "success" : "error" });
  }
}
