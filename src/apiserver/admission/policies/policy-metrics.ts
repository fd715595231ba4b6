import type { MetricsRegistry } from "#base/metrics.ts";

/** What became of one objection of a policy. */
export interface Check {
  readonly policy: string;
  readonly binding: string;
  readonly action: "audit" | "deny" | "warn";
  /** The expression failed, rather than said no. */
  readonly isError: boolean;
  readonly seconds: number;
}

/** The metrics of validating policies under upstream's names. */
export interface PolicyMetrics {
  observe(check: Check): void;
}

const durations = [0.0000005, 0.001, 0.01, 0.1, 1];

export function createPolicyMetrics(registry: MetricsRegistry): PolicyMetrics {
  const checks = registry.counter(
    "apiserver_validating_admission_policy_check_total",
    "Objections of validating admission policies by policy, binding, kind of error and what was done.",
  );
  const took = registry.histogram(
    "apiserver_validating_admission_policy_check_duration_seconds",
    "How long validating admission policies took that objected, by policy, binding and what was done.",
    durations,
  );
  return {
    observe: ({ policy, binding, action, isError, seconds }) => {
      const labels = {
        policy,
        policy_binding: binding,
        error_type: isError ? "invalid_error" : "no_error",
        enforcement_action: action,
      };
      checks.add(labels);
      took.observe(labels, seconds);
    },
  };
}
