import type { JobSpec, PodFailurePolicy } from "#api/generated/types.ts";
import { checkTemplateMatches } from "#api/strategies/apps/workload.ts";
import { checkPodTemplate } from "#api/strategies/core/pod/pod-spec.ts";
import { checkNonNegative, checkOneOf, checkOneOfIfSet } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { domainPathProblems, rangeProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

type Spec = Given<JobSpec>;

const indexedParallelismMax = 100_000;
const failurePolicyRulesMax = 20;

/** A job's spec, or that of a cron job's template. */
export function checkJobSpec(field: Field, spec: Spec): void {
  for (const name of amounts) checkNonNegative(field.child(name), spec[name]);
  if (spec.selector) checkLabelSelector(field.child("selector"), spec.selector);
  checkOneOfIfSet(field.child("completionMode"), spec.completionMode, ["Indexed", "NonIndexed"]);
  checkOneOfIfSet(field.child("podReplacementPolicy"), spec.podReplacementPolicy, [
    "Failed",
    "TerminatingOrFailed",
  ]);
  if (spec.managedBy) {
    field.child("managedBy").invalidAll(spec.managedBy, domainPathProblems(spec.managedBy));
  }
  checkIndexed(field, spec);
  const template = spec.template;
  if (!template) return field.child("template").required();
  checkTemplateMatches(field.child("template"), spec.selector, template);
  checkPodTemplate(field.child("template"), template);
  const restartPolicy = template.spec?.restartPolicy;
  if (restartPolicy !== "OnFailure" && restartPolicy !== "Never") {
    field.child("template", "spec", "restartPolicy").required('valid values: "OnFailure", "Never"');
  }
  if (spec.podFailurePolicy) {
    checkFailurePolicy(field.child("podFailurePolicy"), spec.podFailurePolicy);
    if (restartPolicy !== "Never") {
      field
        .child("template", "spec", "restartPolicy")
        .invalid(
          restartPolicy ?? "",
          'only "Never" is supported when podFailurePolicy is specified',
        );
    }
  }
}

const amounts = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
] as const;

function checkIndexed(field: Field, spec: Spec): void {
  const { completions, parallelism } = spec;
  if (spec.completionMode !== "Indexed") {
    for (const name of ["backoffLimitPerIndex", "successPolicy"] as const) {
      const value = spec[name];
      if (value === undefined || value === null) continue;
      field.child(name).invalid(value, "requires indexed completion mode");
    }
    return;
  }
  if (typeof completions !== "number") {
    field.child("completions").required("when completion mode is Indexed");
  }
  if (typeof parallelism === "number" && parallelism > indexedParallelismMax) {
    const rule = `must be less than or equal to ${indexedParallelismMax} when completion mode is Indexed`;
    field.child("parallelism").invalid(parallelism, rule);
  }
  const failed = spec.maxFailedIndexes;
  if (typeof failed === "number" && typeof completions === "number" && failed > completions) {
    const rule = "must be less than or equal to completions";
    field.child("maxFailedIndexes").invalid(failed, rule);
  }
  if (typeof failed === "number" && typeof spec.backoffLimitPerIndex !== "number") {
    field.child("backoffLimitPerIndex").required("when maxFailedIndexes is specified");
  }
}

function checkFailurePolicy(field: Field, policy: Given<PodFailurePolicy>): void {
  const rules = itemsOf(policy.rules);
  if (rules.length > failurePolicyRulesMax) {
    field.child("rules").tooMany(rules.length, failurePolicyRulesMax);
  }
  for (const [index, rule] of rules.entries()) {
    const at = field.child("rules").index(index);
    checkOneOf(at.child("action"), rule.action, ["Count", "FailIndex", "FailJob", "Ignore"]);
    const conditions = itemsOf(rule.onPodConditions);
    if (rule.onExitCodes && conditions.length > 0) {
      at.invalid(rule, "specifying both OnExitCodes and OnPodConditions is not supported");
    }
    if (!rule.onExitCodes && conditions.length === 0) {
      at.invalid(rule, "specifying one of OnExitCodes and OnPodConditions is required");
    }
    const codes = rule.onExitCodes;
    if (!codes) continue;
    checkOneOf(at.child("onExitCodes", "operator"), codes.operator, ["In", "NotIn"]);
    const values = itemsOf(codes.values);
    if (values.length === 0) {
      at.child("onExitCodes", "values").invalid(values, "at least one value is required");
    }
    for (const [nth, code] of values.entries()) {
      const value = at.child("onExitCodes", "values").index(nth);
      value.invalidAll(code, rangeProblems(code, 0, 0x7fff_ffff));
      if (code === 0 && codes.operator === "In")
        value.invalid(0, "must not be 0 for the In operator");
    }
  }
}

/** What stays as it was created; the template may still change while nothing has started. */
export function checkJobUpdate(
  field: Field,
  spec: Spec,
  past: { readonly spec: Spec; readonly started: boolean },
): void {
  const before = past.spec;
  const elastic = spec.completionMode === "Indexed" && spec.completions === spec.parallelism;
  if (!elastic) checkImmutable(field.child("completions"), spec.completions, before.completions);
  for (const name of fixed) checkImmutable(field.child(name), spec[name], before[name]);
  const held = before.suspend === true && !past.started;
  const template = held
    ? { ...spec.template, metadata: before.template?.metadata, spec: placedAs(spec, before) }
    : spec.template;
  checkImmutable(field.child("template"), template, before.template);
}

const fixed = [
  "selector",
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex",
  "managedBy",
  "successPolicy",
] as const;

/** The new pods' spec with the old answers to where they run: these a queue may set before it starts a job. */
function placedAs(spec: Spec, before: Spec): unknown {
  const now = spec.template?.spec;
  const then = before.template?.spec;
  return {
    ...now,
    nodeSelector: then?.nodeSelector,
    tolerations: then?.tolerations,
    schedulingGates: then?.schedulingGates,
    affinity: { ...now?.affinity, nodeAffinity: then?.affinity?.nodeAffinity },
    containers: withResourcesOf(now?.containers, then?.containers),
    initContainers: withResourcesOf(now?.initContainers, then?.initContainers),
  };
}

function withResourcesOf(
  containers: readonly { readonly resources?: unknown }[] | null | undefined,
  before: readonly { readonly resources?: unknown }[] | null | undefined,
): unknown[] {
  const old = itemsOf(before);
  return itemsOf(containers).map((container, index) => ({
    ...container,
    resources: old[index]?.resources,
  }));
}
