import type { PodDisruptionBudget } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkAtMostWhole,
  checkCountOrPercent,
  checkNonNegative,
  checkOneOfIfSet,
} from "#api/validation/checks.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const isSet = (value: unknown): boolean => value !== undefined && value !== null;

export const podDisruptionBudgetStrategy = strategyFor<PodDisruptionBudget>({
  unconditionalUpdate: false,
  validate(root, budget) {
    const field = root.child("spec");
    const spec = budget.spec ?? {};
    if (isSet(spec.minAvailable) && isSet(spec.maxUnavailable)) {
      field.invalid(spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for (const name of ["minAvailable", "maxUnavailable"] as const) {
      if (!isSet(spec[name])) continue;
      checkCountOrPercent(field.child(name), spec[name]);
      checkAtMostWhole(field.child(name), spec[name]);
    }
    checkLabelSelector(field.child("selector"), spec.selector);
    checkOneOfIfSet(field.child("unhealthyPodEvictionPolicy"), spec.unhealthyPodEvictionPolicy, [
      "AlwaysAllow",
      "IfHealthyBudget",
    ]);
  },
  validateStatusUpdate(root, budget) {
    const field = root.child("status");
    for (const name of [
      "disruptionsAllowed",
      "currentHealthy",
      "desiredHealthy",
      "expectedPods",
    ] as const) {
      checkNonNegative(field.child(name), budget.status?.[name]);
    }
  },
});
