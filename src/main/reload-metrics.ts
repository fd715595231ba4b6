import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "#base/clock.ts";
import type { MetricsRegistry } from "#base/metrics.ts";

export interface ReloadMetricsParts {
  /** Whose configuration it is, as it stands in the metrics' names. */
  readonly subject: "authentication" | "authorization";
  readonly metrics: MetricsRegistry;
  readonly clock: Pick<Clock, "now">;
}

/** Upstream's metrics of a configuration that is read again while the server runs. */
export function registerReloadMetrics({ subject, metrics, clock }: ReloadMetricsParts) {
  const prefix = `apiserver_${subject}_config_controller`;
  const id = { apiserver_id_hash: hashOf(`apiserver-${hostname()}`) };
  const reloads = metrics.counter(
    `${prefix}_automatic_reloads_total`,
    `Reloads of the ${subject} configuration, by their outcome.`,
  );
  const lastReload = metrics.gauge(
    `${prefix}_automatic_reload_last_timestamp_seconds`,
    `When the ${subject} configuration was last reloaded, by the outcome.`,
  );
  let hash: string | undefined;
  metrics.observedGauge(
    `${prefix}_last_config_info`,
    `The hash of the ${subject} configuration in use.`,
    () => (hash === undefined ? [] : [{ labels: { ...id, hash }, value: 1 }]),
  );
  const count = (status: "success" | "failure"): void => {
    reloads.add({ status, ...id });
    lastReload.set({ status, ...id }, clock.now() / 1_000);
  };
  return {
    began: (text: string): void => void (hash = hashOf(text)),
    succeeded: (text: string): void => {
      hash = hashOf(text);
      count("success");
    },
    failed: (): void => count("failure"),
  };
}

function hashOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
