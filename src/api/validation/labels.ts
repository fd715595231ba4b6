import type { LabelSelector, LabelSelectorRequirement } from "#api/generated/types.ts";
import { matcherOf, type LabelRequirement } from "#api/selector/label-requirement.ts";
import { labelOperators } from "#api/selector/label-selector.ts";
import type { Field } from "#api/validation/field.ts";
import { labelValueProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, isEmpty, itemsOf } from "#api/validation/given.ts";

type Labels = { readonly [key: string]: string };

export function checkLabels(field: Field, labels: Labels | null | undefined): void {
  for (const [key, value] of entriesOf(labels)) {
    field.invalidAll(key, qualifiedNameProblems(key));
    field.invalidAll(value, labelValueProblems(value ?? ""));
  }
}

export function checkLabelSelector(
  field: Field,
  selector: Given<LabelSelector> | null | undefined,
): void {
  checkLabels(field.child("matchLabels"), selector?.matchLabels as Labels | undefined);
  for (const [index, requirement] of itemsOf(selector?.matchExpressions).entries()) {
    checkRequirement(field.child("matchExpressions").index(index), requirement);
  }
}

function checkRequirement(field: Field, requirement: Given<LabelSelectorRequirement>): void {
  const values = itemsOf(requirement.values);
  switch (requirement.operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) {
        field.child("values").required("must be specified when `operator` is 'In' or 'NotIn'");
      }
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) {
        field
          .child("values")
          .forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
      break;
    default:
      field.child("operator").invalid(requirement.operator ?? "", "not a valid selector operator");
  }
  field
    .child("key")
    .invalidAll(requirement.key ?? "", qualifiedNameProblems(requirement.key ?? ""));
  for (const [index, value] of values.entries()) {
    field.child("values").index(index).invalidAll(value, labelValueProblems(value));
  }
}

/** Whether a selector that has passed its checks selects everything. */
export function selectsAll(selector: Given<LabelSelector> | null | undefined): boolean {
  return isEmpty(selector?.matchLabels) && isEmpty(selector?.matchExpressions);
}

/** Whether labels match a selector that may be wrong in itself. An unknown operator matches nothing. */
export function selectorMatches(
  selector: Given<LabelSelector> | null | undefined,
  labels: Labels | null | undefined,
): boolean {
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of entriesOf(selector?.matchLabels as Labels | undefined)) {
    requirements.push({ key, operator: "=", values: [value ?? ""] });
  }
  for (const { key, operator: name, values } of itemsOf(selector?.matchExpressions)) {
    const operator = labelOperators.get(name ?? "");
    if (operator === undefined) return false;
    requirements.push({ key: key ?? "", operator, values: [...itemsOf(values)] });
  }
  return matcherOf(requirements).matches(labels ?? undefined);
}
