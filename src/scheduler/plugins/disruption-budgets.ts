import type { PodDisruptionBudget } from "#api/generated/types.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { PlacedPod } from "#scheduler/node-state.ts";

/**
 * Those pods whose going the disruption budgets no longer allow, when all go in the given order. A budget without a
 * selector protects nothing, and a pod whose disruption was granted already does not count again.
 */
export function violationsOf(
  pods: readonly PlacedPod[],
  budgetsOf: (namespace: string) => readonly PodDisruptionBudget[],
): ReadonlySet<PlacedPod> {
  const left = new Map<PodDisruptionBudget, number>();
  const violating = new Set<PlacedPod>();
  for (const pod of pods) {
    for (const budget of budgetsOf(pod.namespace)) {
      if (!protects(budget, pod)) continue;
      const allowed = (left.get(budget) ?? budget.status?.disruptionsAllowed ?? 0) - 1;
      left.set(budget, allowed);
      if (allowed < 0) violating.add(pod);
    }
  }
  return violating;
}

function protects({ spec, status }: PodDisruptionBudget, { name, shape }: PlacedPod): boolean {
  const matcher = labelSelectorMatcher(spec?.selector);
  if (matcher.matchesEverything || !matcher.matches(shape.labels)) return false;
  return status?.disruptedPods?.[name] === undefined;
}
