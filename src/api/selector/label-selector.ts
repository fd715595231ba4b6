import type { LabelSelector, LabelSelectorRequirement } from "#api/generated/types.ts";
import { badRequest } from "#api/status.ts";
import {
  assertRequirement,
  matcherOf,
  nothingMatcher,
  type LabelMatcher,
  type LabelOperator,
  type LabelRequirement,
} from "#api/selector/label-requirement.ts";

/**
 * The matcher of a selector in its object form. No selector takes nothing, an empty one takes everything.
 * Throws a 400 with upstream's text for an unknown operator or a bad key or value.
 */
export function labelSelectorMatcher(selector: LabelSelector | undefined): LabelMatcher {
  if (selector === undefined) return nothingMatcher;
  const exact = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }),
  );
  const requirements = [...exact, ...(selector.matchExpressions ?? []).map(requirementOf)];
  for (const requirement of requirements) assertRequirement(requirement);
  return matcherOf(requirements);
}

/** The matcher of a plain map (a Service's `spec.selector`); an empty map takes everything. Nothing is checked. */
export function labelSetMatcher(labels: Readonly<Record<string, string>>): LabelMatcher {
  return matcherOf(
    Object.entries(labels).map(([key, value]) => ({ key, operator: "=", values: [value] })),
  );
}

/** The operators of expressions in selectors, as those of requirements. */
export const labelOperators: ReadonlyMap<string, LabelOperator> = new Map([
  ["In", "in"],
  ["NotIn", "notin"],
  ["Exists", "exists"],
  ["DoesNotExist", "!"],
]);

function requirementOf(expression: LabelSelectorRequirement): LabelRequirement {
  const operator = labelOperators.get(expression.operator);
  if (operator === undefined) {
    throw badRequest(
      `${JSON.stringify(expression.operator)} is not a valid label selector operator`,
    );
  }
  return { key: expression.key, operator, values: expression.values ?? [] };
}
