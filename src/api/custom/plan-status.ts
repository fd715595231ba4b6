import { rfc3339 } from "#base/clock.ts";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from "#api/generated/types.ts";
import { acceptNames } from "#api/custom/accept-names.ts";
import { structuralProblems } from "#api/custom/check-schema.ts";
import { propsOf } from "#api/custom/custom-kinds.ts";

type Condition = CustomResourceDefinitionCondition;

/** The status a definition should have, given the names that others of its group have. */
export function planStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinitionNames[],
  nowMs: number,
): CustomResourceDefinitionStatus {
  const { names, condition } = acceptNames(definition, others);
  const before = definition.status?.conditions ?? [];
  const wanted = [
    condition,
    established(before, condition.status === "True"),
    nonStructural(definition),
  ];
  let conditions: readonly Condition[] = before;
  for (const one of wanted) conditions = withCondition(conditions, one, nowMs);
  return { ...definition.status, acceptedNames: names, conditions };
}

/** `conditions` with this one, which is dropped where it has status "". */
export function withCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, "lastTransitionTime">,
  nowMs: number,
): readonly Condition[] {
  const before = conditions.find((condition) => condition.type === next.type);
  if (next.status === "") return conditions.filter((condition) => condition !== before);
  const isSame = before?.status === next.status;
  const lastTransitionTime = (isSame ? before.lastTransitionTime : undefined) ?? rfc3339(nowMs);
  const made: Condition = { ...next, lastTransitionTime };
  if (before === undefined) return [...conditions, made];
  return conditions.map((condition) => (condition === before ? made : condition));
}

/** Once established a definition stays so: its objects are there. */
function established(before: readonly Condition[], accepted: boolean): Condition {
  const known = before.find((condition) => condition.type === "Established");
  if (known?.status === "True") return known;
  return accepted
    ? {
        type: "Established",
        status: "True",
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
      }
    : {
        type: "Established",
        status: "False",
        reason: "NotAccepted",
        message: "not all names are accepted",
      };
}

/** Only definitions that were stored before schemas were checked can have it. */
function nonStructural(definition: CustomResourceDefinition): Condition {
  const problems = definition.spec.versions
    .map((version, index) =>
      structuralProblems(`spec.versions[${index}].schema.openAPIV3Schema`, propsOf(version)),
    )
    .filter((text) => text !== "");
  return {
    type: "NonStructuralSchema",
    status: problems.length === 0 ? "" : "True",
    reason: "Violations",
    message: problems.join(", "),
  };
}
