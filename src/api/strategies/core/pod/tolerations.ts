import type { Toleration } from "#api/generated/types.ts";
import { checkOneOfIfSet } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { labelValueProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import type { Given } from "#api/validation/given.ts";

export const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function checkTolerations(field: Field, tolerations: readonly Given<Toleration>[]): void {
  for (const [index, toleration] of tolerations.entries()) {
    checkToleration(field.index(index), toleration);
  }
}

function checkToleration(field: Field, toleration: Given<Toleration>): void {
  const { key, operator = "", effect = "", value = "" } = toleration;
  if (key) field.child("key").invalidAll(key, qualifiedNameProblems(key));
  if (!key && operator !== "Exists") {
    field
      .child("operator")
      .invalid(
        operator ?? "",
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
  }
  if (typeof toleration.tolerationSeconds === "number" && effect !== "NoExecute") {
    field
      .child("effect")
      .invalid(effect ?? "", "effect must be 'NoExecute' when `tolerationSeconds` is set");
  }
  checkValue(field.child("operator"), operator ?? "", value ?? "");
  if (effect) checkOneOfIfSet(field.child("effect"), effect, taintEffects);
}

function checkValue(field: Field, operator: string, value: string): void {
  if (operator === "" || operator === "Equal") {
    const problems = labelValueProblems(value);
    if (problems.length > 0) field.invalid(value, problems.join(";"));
  } else if (operator === "Exists") {
    if (value !== "") field.invalid(value, "value must be empty when `operator` is 'Exists'");
  } else field.notSupported(operator, ["Equal", "Exists"]);
}
