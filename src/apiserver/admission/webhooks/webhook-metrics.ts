import type { MetricsRegistry } from "#base/metrics.ts";
import type { Attempt } from "#apiserver/admission/admission.ts";
import type { Hook } from "#apiserver/admission/webhooks/hook.ts";

/** How one call of a webhook ended. */
export interface Observation {
  readonly hook: Hook;
  readonly operation: Attempt["operation"];
  readonly seconds: number;
  readonly code: number;
  /** Absent: the request went on. */
  readonly rejected?: "calling_webhook_error" | "apiserver_internal_error" | "no_error";
  readonly failedOpen?: boolean;
}

/** The metrics of admission webhooks under upstream's names. */
export interface WebhookMetrics {
  observe(observation: Observation): void;
  excluded(hook: Hook, operation: Attempt["operation"]): void;
  conditionFailed(hook: Hook, operation: Attempt["operation"]): void;
  conditionsTook(hook: Hook, operation: Attempt["operation"], seconds: number): void;
}

const durations = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
const conditionDurations = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];
/** Webhooks choose their codes; so many are told apart. */
const codeMax = 600;

export function createWebhookMetrics(registry: MetricsRegistry): WebhookMetrics {
  const took = registry.histogram(
    "apiserver_admission_webhook_admission_duration_seconds",
    "How long admission webhooks took, by name, type and operation.",
    durations,
  );
  const requests = registry.counter(
    "apiserver_admission_webhook_request_total",
    "Calls of admission webhooks by name, type, operation and code.",
  );
  const rejections = registry.counter(
    "apiserver_admission_webhook_rejection_count",
    "Requests that were refused for an admission webhook, by name, type, operation and kind of error.",
  );
  const failedOpen = registry.counter(
    "apiserver_admission_webhook_fail_open_count",
    "Calls of admission webhooks that failed and were passed over.",
  );
  return { ...conditionMetrics(registry), observe };

  function observe({ hook, operation, seconds, code, rejected, failedOpen: open }: Observation) {
    const of = { name: hook.name, type: hook.phase, operation };
    const bounded = String(Math.min(code, codeMax));
    const isRejected = String(rejected !== undefined);
    requests.add({ ...of, code: bounded, rejected: isRejected });
    took.observe({ ...of, rejected: isRejected }, seconds);
    if (rejected !== undefined)
      rejections.add({ ...of, error_type: rejected, rejection_code: bounded });
    if (open) failedOpen.add({ name: hook.name, type: hook.phase });
  }
}

function conditionMetrics(registry: MetricsRegistry): Omit<WebhookMetrics, "observe"> {
  const errors = registry.counter(
    "apiserver_admission_match_condition_evaluation_errors_total",
    "Match conditions that could not be evaluated.",
  );
  const exclusions = registry.counter(
    "apiserver_admission_match_condition_exclusions_total",
    "Requests that match conditions kept from a webhook or policy.",
  );
  const took = registry.histogram(
    "apiserver_admission_match_condition_evaluation_seconds",
    "How long match conditions took to evaluate.",
    conditionDurations,
  );
  const labels = (hook: Hook, operation: string) => ({
    name: hook.name,
    kind: "webhook",
    type: hook.phase,
    operation,
  });
  return {
    excluded: (hook, operation) => exclusions.add(labels(hook, operation)),
    conditionFailed: (hook, operation) => errors.add(labels(hook, operation)),
    conditionsTook: (hook, operation, seconds) => took.observe(labels(hook, operation), seconds),
  };
}
