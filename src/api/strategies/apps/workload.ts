import type { LabelSelector, PodTemplateSpec } from "#api/generated/types.ts";
import { checkPodTemplate } from "#api/strategies/core/pod/pod-spec.ts";
import { checkNonNegative, checkOneOf } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import type { Given } from "#api/validation/given.ts";
import { checkLabelSelector, selectorMatches, selectsAll } from "#api/validation/labels.ts";

interface WorkloadSpec {
  readonly replicas?: number | null;
  readonly minReadySeconds?: number | null;
  readonly revisionHistoryLimit?: number | null;
  readonly selector?: Given<LabelSelector> | null;
  readonly template?: Given<PodTemplateSpec> | null;
}

/** What deployments, replica sets, stateful sets and daemon sets have in common; `noun` names the kind in messages. */
export function checkWorkload(field: Field, spec: WorkloadSpec, noun: string): void {
  checkNonNegative(field.child("replicas"), spec.replicas);
  checkNonNegative(field.child("minReadySeconds"), spec.minReadySeconds);
  checkNonNegative(field.child("revisionHistoryLimit"), spec.revisionHistoryLimit);
  checkSelector(field.child("selector"), spec.selector, noun);
  checkTemplate(field.child("template"), spec, noun);
}

function checkSelector(field: Field, selector: WorkloadSpec["selector"], noun: string): void {
  if (!selector) return field.required();
  checkLabelSelector(field, selector);
  if (selectsAll(selector)) {
    field.invalid(selector, `empty selector is invalid for ${noun}`);
  }
}

function checkTemplate(field: Field, spec: WorkloadSpec, noun: string): void {
  const { selector, template } = spec;
  if (!template) return field.required();
  checkTemplateMatches(field, selector, template);
  checkPodTemplate(field, template);
  checkRunsForever(field.child("spec"), template, noun);
}

/** A workload whose selector missed its own pods would create them without end. */
export function checkTemplateMatches(
  field: Field,
  selector: WorkloadSpec["selector"],
  template: Given<PodTemplateSpec>,
): void {
  const labels = template.metadata?.labels;
  if (selector && !selectsAll(selector) && !selectorMatches(selector, labels)) {
    field
      .child("metadata", "labels")
      .invalid(labels ?? null, "`selector` does not match template `labels`");
  }
}

export function checkRunsForever(
  field: Field,
  template: Given<PodTemplateSpec>,
  noun: string,
): void {
  if (template.spec?.restartPolicy) {
    checkOneOf(field.child("restartPolicy"), template.spec.restartPolicy, ["Always"]);
  }
  if (typeof template.spec?.activeDeadlineSeconds === "number") {
    const name = kindsByNoun[noun] ?? "ReplicaSet";
    field
      .child("activeDeadlineSeconds")
      .forbidden(`activeDeadlineSeconds in ${name} is not Supported`);
  }
}

const kindsByNoun: Readonly<Record<string, string>> = {
  daemonset: "DaemonSet",
  statefulset: "StatefulSet",
  "replication controller": "ReplicationController",
};
