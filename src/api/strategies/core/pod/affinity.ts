import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodAntiAffinity,
  TopologySpreadConstraint,
} from "#api/generated/types.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import { checkOneOf, checkOneOfIfSet, checkUnique, notPositive } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { labelValueProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";

export function checkAffinity(field: Field, affinity: Given<Affinity> | null | undefined): void {
  const nodes = affinity?.nodeAffinity;
  const nodeField = field.child("nodeAffinity");
  if (nodes?.[required]) checkNodeSelector(nodeField.child(required), nodes[required]);
  for (const [index, term] of itemsOf(nodes?.[preferred]).entries()) {
    const at = nodeField.child(preferred).index(index);
    checkWeight(at.child("weight"), term.weight ?? 0);
    checkNodeTerm(at.child("preference"), term.preference ?? {}, false);
  }
  checkPodTerms(field.child("podAffinity"), affinity?.podAffinity);
  checkPodTerms(field.child("podAntiAffinity"), affinity?.podAntiAffinity);
}

/** Also of persistent volumes and device classes. */
export function checkNodeSelector(field: Field, selector: Given<NodeSelector>): void {
  const at = field.child("nodeSelectorTerms");
  const terms = itemsOf(selector.nodeSelectorTerms);
  if (terms.length === 0) at.required("must have at least one node selector term");
  for (const [index, term] of terms.entries()) checkNodeTerm(at.index(index), term, true);
}

export function checkSpreading(
  field: Field,
  constraints: readonly Given<TopologySpreadConstraint>[],
): void {
  for (const [index, constraint] of constraints.entries()) {
    checkConstraint(field.index(index), constraint);
  }
  checkUnique(
    constraints,
    ({ topologyKey, whenUnsatisfiable }) => `{${topologyKey}, ${whenUnsatisfiable}}`,
    (index, pair) => field.index(index).child("{topologyKey, whenUnsatisfiable}").duplicate(pair),
  );
}

function checkConstraint(field: Field, constraint: Given<TopologySpreadConstraint>): void {
  const { maxSkew = 0, minDomains, topologyKey, whenUnsatisfiable } = constraint;
  if ((maxSkew ?? 0) <= 0) field.child("maxSkew").invalid(maxSkew ?? 0, notPositive);
  checkTopologyKey(field.child("topologyKey"), topologyKey ?? "");
  checkOneOf(field.child("whenUnsatisfiable"), whenUnsatisfiable, [
    "DoNotSchedule",
    "ScheduleAnyway",
  ]);
  if (typeof minDomains === "number") {
    if (minDomains <= 0) field.child("minDomains").invalid(minDomains, notPositive);
    if (whenUnsatisfiable !== "DoNotSchedule") {
      const rule = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable ?? ""}`;
      field.child("minDomains").invalid(minDomains, rule);
    }
  }
  for (const name of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
    checkOneOfIfSet(field.child(name), constraint[name], ["Honor", "Ignore"]);
  }
  checkLabelSelector(field.child("labelSelector"), constraint.labelSelector);
}

function checkPodTerms(field: Field, affinity: Given<PodAntiAffinity> | null | undefined): void {
  for (const [index, term] of itemsOf(affinity?.[required]).entries()) {
    checkPodTerm(field.child(required).index(index), term);
  }
  for (const [index, term] of itemsOf(affinity?.[preferred]).entries()) {
    const at = field.child(preferred).index(index);
    checkWeight(at.child("weight"), term.weight ?? 0);
    checkPodTerm(at.child("podAffinityTerm"), term.podAffinityTerm ?? {});
  }
}

function checkPodTerm(field: Field, term: Given<PodAffinityTerm>): void {
  checkLabelSelector(field.child("labelSelector"), term.labelSelector);
  checkLabelSelector(field.child("namespaceSelector"), term.namespaceSelector);
  for (const namespace of itemsOf(term.namespaces)) {
    field.child("namespace").invalidAll(namespace, dns1123LabelProblems(namespace));
  }
  checkTopologyKey(field.child("topologyKey"), term.topologyKey ?? "");
}

function checkTopologyKey(field: Field, key: string): void {
  if (key === "") field.required("can not be empty");
  else field.invalidAll(key, qualifiedNameProblems(key));
}

function checkWeight(field: Field, weight: number): void {
  if (weight <= 0 || weight > 100) field.invalid(weight, "must be in the range 1-100");
}

/** Label values of a mere preference may be wrong, as they always might. */
function checkNodeTerm(field: Field, term: Given<NodeSelectorTerm>, strict: boolean): void {
  for (const [index, requirement] of itemsOf(term.matchExpressions).entries()) {
    checkLabelRequirement(field.child("matchExpressions").index(index), requirement, strict);
  }
  for (const [index, requirement] of itemsOf(term.matchFields).entries()) {
    checkFieldRequirement(field.child("matchFields").index(index), requirement);
  }
}

function checkLabelRequirement(
  field: Field,
  requirement: Given<NodeSelectorRequirement>,
  strict: boolean,
): void {
  const { key = "", operator = "" } = requirement;
  const values = itemsOf(requirement.values);
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) {
      field.child("values").required("must be specified when `operator` is 'In' or 'NotIn'");
    }
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) {
      const rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      field.child("values").forbidden(rule);
    }
  } else if (operator === "Gt" || operator === "Lt") {
    if (values.length !== 1) {
      const rule = "must be specified single value when `operator` is 'Lt' or 'Gt'";
      field.child("values").required(rule);
    }
  } else field.child("operator").invalid(operator ?? "", "not a valid selector operator");
  field.child("key").invalidAll(key ?? "", qualifiedNameProblems(key ?? ""));
  if (!strict) return;
  for (const [index, value] of values.entries()) {
    field.child("values").index(index).invalidAll(value, labelValueProblems(value));
  }
}

function checkFieldRequirement(field: Field, requirement: Given<NodeSelectorRequirement>): void {
  const { key = "", operator = "" } = requirement;
  const values = itemsOf(requirement.values);
  if (operator !== "In" && operator !== "NotIn") {
    field.child("operator").invalid(operator ?? "", "not a valid selector operator");
  } else if (values.length !== 1) {
    const rule =
      "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    field.child("values").required(rule);
  }
  if (key !== "metadata.name") {
    return field.child("key").invalid(key ?? "", "not a valid field selector key");
  }
  for (const [index, value] of values.entries()) {
    field.child("values").index(index).invalidAll(value, dns1123SubdomainProblems(value));
  }
}
