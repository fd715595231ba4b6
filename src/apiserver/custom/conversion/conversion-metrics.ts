import type { MetricsRegistry } from "#base/metrics.ts";

export interface Conversion {
  readonly definition: string;
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  /** "" when it succeeded. */
  readonly failure: ConversionFailure | "";
}

export type ConversionFailure =
  | "conversion_webhook_call_failure"
  | "conversion_webhook_malformed_response_failure"
  | "conversion_webhook_partial_response_failure"
  | "conversion_webhook_invalid_converted_object_failure";

/** The metrics of conversion webhooks under upstream's names. */
export class ConversionMetrics {
  readonly #requests;
  readonly #durations;
  readonly #byDefinition;

  constructor(registry: MetricsRegistry) {
    this.#requests = registry.counter(
      "apiserver_conversion_webhook_request_total",
      "Calls of conversion webhooks by result and kind of failure.",
    );
    this.#durations = registry.histogram(
      "apiserver_conversion_webhook_duration_seconds",
      "How long conversion webhooks took.",
      [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 60],
    );
    this.#byDefinition = registry.histogram(
      "apiserver_crd_conversion_webhook_duration_seconds",
      "How long conversion webhooks took, by definition and versions.",
      Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index),
    );
  }

  observe({ definition, from, to, seconds, failure }: Conversion): void {
    const labels = { result: failure === "" ? "success" : "failure", failure_type: failure };
    this.#requests.add(labels);
    this.#durations.observe(labels, seconds);
    this.#byDefinition.observe(
      {
        crd_name: definition,
        from_version: versionOf(from),
        to_version: versionOf(to),
        succeeded: String(failure === ""),
      },
      seconds,
    );
  }
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf("/") + 1);
}
