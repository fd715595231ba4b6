import type { LabelSelector, Pod, PodAffinityTerm } from "#api/generated/types.ts";
import type { Draft } from "#api/meta.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";

/**
 * Writes what `matchLabelKeys` and `mismatchLabelKeys` mean for this pod into its selectors, in place, so that a
 * scheduler reads selectors alone. A term without a selector matches nothing and stays so.
 */
export function mergeLabelKeys(pod: Given<Draft<Pod>>): void {
  const labels = pod.metadata?.labels ?? {};
  const { affinity, topologySpreadConstraints } = pod.spec ?? {};
  for (const group of [affinity?.podAffinity, affinity?.podAntiAffinity]) {
    const required = itemsOf(group?.requiredDuringSchedulingIgnoredDuringExecution);
    const preferred = itemsOf(group?.preferredDuringSchedulingIgnoredDuringExecution);
    const terms = [...required, ...preferred.map((weighted) => weighted.podAffinityTerm)];
    for (const term of terms) if (term) mergeTerm(term as Term, labels);
  }
  for (const constraint of itemsOf(topologySpreadConstraints)) {
    mergeTerm(constraint as Term, labels);
  }
}

type Term = Given<
  Draft<Pick<PodAffinityTerm, "labelSelector" | "matchLabelKeys" | "mismatchLabelKeys">>
>;

function mergeTerm(term: Term, labels: Readonly<Record<string, string>>): void {
  const selector = term.labelSelector;
  if (!selector) return;
  const added = [
    ...requirements(itemsOf(term.matchLabelKeys), "In", labels),
    ...requirements(itemsOf(term.mismatchLabelKeys), "NotIn", labels),
  ];
  if (added.length === 0) return;
  const written = selector as { matchExpressions?: unknown };
  written.matchExpressions = [...itemsOf((selector as LabelSelector).matchExpressions), ...added];
}

function requirements(
  keys: readonly string[],
  operator: "In" | "NotIn",
  labels: Readonly<Record<string, string>>,
) {
  return keys.flatMap((key) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
}
