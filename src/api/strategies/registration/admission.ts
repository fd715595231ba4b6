import type {
  MatchResources,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkRequired, checkUnique } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const timeoutMaxSeconds = 30;
const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

export const validatingWebhookStrategy = strategyFor<ValidatingWebhookConfiguration>({
  hasGeneration: true,
  unconditionalUpdate: false,
  fillDefaults(configuration) {
    for (const webhook of configuration.webhooks ?? []) if (webhook) fillWebhook(webhook);
  },
  validate: (root, configuration) => checkWebhooks(root, itemsOf(configuration.webhooks)),
});

export const mutatingWebhookStrategy = strategyFor<MutatingWebhookConfiguration>({
  hasGeneration: true,
  unconditionalUpdate: false,
  fillDefaults(configuration) {
    for (const webhook of configuration.webhooks ?? []) {
      if (!webhook) continue;
      fillWebhook(webhook);
      webhook.reinvocationPolicy ??= "Never";
    }
  },
  validate(root, configuration) {
    const webhooks = itemsOf(configuration.webhooks);
    checkWebhooks(root, webhooks);
    for (const [index, webhook] of webhooks.entries()) {
      const at = root.child("webhooks").index(index).child("reinvocationPolicy");
      checkOneOf(at, webhook.reinvocationPolicy, ["IfNeeded", "Never"]);
    }
  },
});

export const validatingAdmissionPolicyStrategy = strategyFor<ValidatingAdmissionPolicy>({
  unconditionalUpdate: false,
  fillDefaults(policy) {
    const { spec } = policy;
    if (!spec) return;
    spec.failurePolicy ??= "Fail";
    fillMatch(spec.matchConstraints);
  },
  validate(root, policy) {
    const field = root.child("spec");
    const spec = policy.spec ?? {};
    checkOneOf(field.child("failurePolicy"), spec.failurePolicy, ["Fail", "Ignore"]);
    if (itemsOf(spec.validations).length === 0 && itemsOf(spec.auditAnnotations).length === 0) {
      const rule = "validations or auditAnnotations must contain at least one item";
      field.child("validations").required(rule);
      field.child("auditAnnotations").required(rule);
    }
    for (const [index, validation] of itemsOf(spec.validations).entries()) {
      const at = field.child("validations").index(index).child("expression");
      if (!validation.expression?.trim()) at.required("expression is not specified");
    }
    const match = field.child("matchConstraints");
    if (!spec.matchConstraints) match.required();
    else if (itemsOf(spec.matchConstraints.resourceRules).length === 0) {
      match.child("resourceRules").required();
    } else checkMatch(match, spec.matchConstraints);
  },
});

export const validatingAdmissionPolicyBindingStrategy =
  strategyFor<ValidatingAdmissionPolicyBinding>({
    hasGeneration: true,
    unconditionalUpdate: false,
    fillDefaults: (binding) => fillMatch(binding.spec?.matchResources),
    validate(root, binding) {
      const field = root.child("spec");
      const spec = binding.spec ?? {};
      checkRequired(field.child("policyName"), spec.policyName);
      const actions = itemsOf(spec.validationActions);
      if (actions.length === 0) field.child("validationActions").required();
      for (const [index, action] of actions.entries()) {
        checkOneOf(field.child("validationActions").index(index), action, [
          "Audit",
          "Deny",
          "Warn",
        ]);
      }
      if (actions.includes("Deny") && actions.includes("Warn")) {
        const rule =
          "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        field.child("validationActions").invalid(actions, rule);
      }
      if (spec.matchResources) checkMatch(field.child("matchResources"), spec.matchResources);
    },
  });

function fillWebhook(webhook: Filling<MutatingWebhook>): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  const service = webhook.clientConfig?.service;
  if (service) service.port ??= 443;
  for (const rule of webhook.rules ?? []) if (rule) setWhereUnset(rule, { scope: "*" });
}

export function fillMatch(match: Filling<MatchResources> | null | undefined): void {
  if (!match) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) {
    if (rule) setWhereUnset(rule, { scope: "*" });
  }
}

export function checkMatch(field: Field, match: Given<MatchResources>): void {
  checkLabelSelector(field.child("namespaceSelector"), match.namespaceSelector);
  checkLabelSelector(field.child("objectSelector"), match.objectSelector);
  for (const name of ["resourceRules", "excludeResourceRules"] as const) {
    for (const [index, rule] of itemsOf(match[name]).entries()) {
      checkRule(field.child(name).index(index), rule);
    }
  }
}

function checkWebhooks(root: Field, webhooks: readonly Given<MutatingWebhook>[]): void {
  const field = root.child("webhooks");
  for (const [index, webhook] of webhooks.entries()) checkWebhook(field.index(index), webhook);
  checkUnique(
    webhooks,
    (webhook) => webhook.name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}

function checkWebhook(field: Field, webhook: Given<MutatingWebhook>): void {
  const name = webhook.name ?? "";
  if (name === "") field.child("name").required();
  else {
    field.child("name").invalidAll(name, dns1123SubdomainProblems(name));
    if (name.split(".").length < 3) {
      field
        .child("name")
        .invalid(name, "should be a domain with at least three segments separated by dots");
    }
  }
  checkOneOf(field.child("failurePolicy"), webhook.failurePolicy, ["Fail", "Ignore"]);
  checkOneOf(field.child("matchPolicy"), webhook.matchPolicy, ["Equivalent", "Exact"]);
  if (!webhook.sideEffects) {
    field.child("sideEffects").required("must specify one of None, NoneOnDryRun");
  } else checkOneOf(field.child("sideEffects"), webhook.sideEffects, ["None", "NoneOnDryRun"]);
  const seconds = webhook.timeoutSeconds ?? 10;
  if (seconds < 1 || seconds > timeoutMaxSeconds) {
    const rule = "the timeout value must be between 1 and 30 seconds";
    field.child("timeoutSeconds").invalid(seconds, rule);
  }
  const versions = itemsOf(webhook.admissionReviewVersions);
  if (!versions.some((version) => version === "v1" || version === "v1beta1")) {
    const at = field.child("admissionReviewVersions");
    if (versions.length === 0) at.required("must specify one of v1, v1beta1");
    else at.invalid(versions, "must include at least one of v1, v1beta1");
  }
  checkLabelSelector(field.child("namespaceSelector"), webhook.namespaceSelector);
  checkLabelSelector(field.child("objectSelector"), webhook.objectSelector);
  for (const [index, rule] of itemsOf(webhook.rules).entries()) {
    checkRule(field.child("rules").index(index), rule);
  }
  checkClient(field.child("clientConfig"), webhook);
}

function checkClient(field: Field, webhook: Given<MutatingWebhook>): void {
  const { url, service } = webhook.clientConfig ?? {};
  if (Boolean(url) === Boolean(service)) {
    return field.required("exactly one of url or service is required");
  }
  if (url && !url.startsWith("https://")) {
    const rule = "'https' is the only allowed URL scheme; desired format: https://host[/path]";
    field.child("url").invalid(url, rule);
  }
  if (!service) return;
  checkRequired(field.child("service", "name"), service.name, "service name is required");
  checkRequired(
    field.child("service", "namespace"),
    service.namespace,
    "service namespace is required",
  );
}

function checkRule(field: Field, rule: Given<RuleWithOperations>): void {
  for (const name of ["apiGroups", "apiVersions", "resources"] as const) {
    const values = itemsOf(rule[name]);
    if (values.length === 0) field.child(name).required();
    if (values.length > 1 && values.includes("*") && name !== "resources") {
      field.child(name).invalid(values, "if '*' is present, must not specify other values");
    }
  }
  const named = itemsOf(rule.operations);
  if (named.length === 0) field.child("operations").required();
  for (const [index, operation] of named.entries()) {
    checkOneOf(field.child("operations").index(index), operation, operations);
  }
  if (named.length > 1 && named.includes("*")) {
    field
      .child("operations")
      .invalid(named, "if '*' is present, must not specify other operations");
  }
  if (rule.scope) checkOneOf(field.child("scope"), rule.scope, ["*", "Cluster", "Namespaced"]);
}
