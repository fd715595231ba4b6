import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "#api/generated/types.ts";
import { admissionEnvironment, compileFor } from "#api/cel/admission/environment.ts";
import type { Environment } from "#api/cel/environment.ts";
import { boolType } from "#api/cel/type.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import {
  checkMatchConditions,
  checkRule,
  type ExpressionCheck,
} from "#api/strategies/registration/admission-rules.ts";
import {
  checkReviewVersions,
  checkWebhookClient,
} from "#api/strategies/registration/webhook-client.ts";
import { strategyFor, type TypedStrategy } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkUnique } from "#api/validation/checks.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

export const validatingWebhookStrategy = strategyFor<ValidatingWebhookConfiguration>(
  webhooksStrategy({}),
);

export const mutatingWebhookStrategy = strategyFor<MutatingWebhookConfiguration>(
  webhooksStrategy({ reinvocationPolicy: "Never" }),
);

/** Both kinds say the same of a webhook, but for the policy that only the one has. */
type Webhook = MutatingWebhook;
type Configuration = MutatingWebhookConfiguration;

function webhooksStrategy(more: Partial<Webhook>): TypedStrategy<Configuration> {
  return {
    hasGeneration: true,
    unconditionalUpdate: false,
    fillDefaults(configuration) {
      for (const webhook of configuration.webhooks ?? []) {
        if (webhook) fillWebhook(webhook, more);
      }
    },
    validateCreate: (root, { webhooks }) => checkWebhooks(root, itemsOf(webhooks), {}),
    validateUpdate: (root, { webhooks }, old) => {
      checkWebhooks(
        root,
        itemsOf(webhooks),
        toleranceFor(itemsOf(webhooks), itemsOf(old.webhooks)),
      );
    },
  };
}

function fillWebhook(webhook: Filling<Webhook>, more: Partial<Webhook>): void {
  webhook.failurePolicy ??= "Fail";
  webhook.matchPolicy ??= "Equivalent";
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  if (more.reinvocationPolicy) webhook.reinvocationPolicy ??= more.reinvocationPolicy;
  const service = webhook.clientConfig?.service;
  if (service) service.port ??= 443;
  for (const rule of webhook.rules ?? []) if (rule) setWhereUnset(rule, { scope: "*" });
}

/** What an update may leave as wrong as it was. */
interface Tolerance {
  readonly sideEffects?: boolean;
  readonly reviewVersions?: boolean;
  readonly sameNames?: boolean;
  readonly conditions?: boolean;
}

type Webhooks = readonly Given<Webhook>[];

function toleranceFor(webhooks: Webhooks, old: Webhooks): Tolerance {
  const names = old.map(({ name }) => name ?? "");
  return {
    sideEffects: !old.every(({ sideEffects }) => harmless.includes(sideEffects ?? "")),
    reviewVersions: !old.every(({ admissionReviewVersions: versions }) =>
      itemsOf(versions).some((version) => reviewVersions.includes(version)),
    ),
    sameNames: new Set(names).size < names.length,
    conditions:
      webhooks.length === old.length &&
      sameMeaning(webhooks.map(conditionsOf), old.map(conditionsOf)),
  };
}

function conditionsOf({ matchConditions }: Given<Webhook>) {
  return matchConditions ?? null;
}

function checkWebhooks(root: Field, webhooks: Webhooks, tolerance: Tolerance): void {
  const field = root.child("webhooks");
  for (const [index, webhook] of webhooks.entries()) {
    checkWebhook(field.index(index), webhook, tolerance);
    const at = field.index(index).child("admissionReviewVersions");
    const versions = itemsOf(webhook.admissionReviewVersions);
    if (versions.length === 0) at.required(`must specify one of ${reviewVersions.join(", ")}`);
    else checkReviewVersions(at, versions, reviewVersions, tolerance.reviewVersions);
  }
  if (tolerance.sameNames) return;
  checkUnique(
    webhooks.filter(({ name }) => name),
    ({ name }) => name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}

const harmless = ["None", "NoneOnDryRun"];
const everySideEffect = ["None", "NoneOnDryRun", "Some", "Unknown"];

function checkWebhook(field: Field, webhook: Given<Webhook>, tolerance: Tolerance): void {
  checkName(field.child("name"), webhook.name ?? "");
  for (const [index, rule] of itemsOf(webhook.rules).entries()) {
    checkRule(field.child("rules").index(index), rule);
  }
  checkOneOf(field.child("failurePolicy"), webhook.failurePolicy, ["Fail", "Ignore"]);
  checkOneOf(field.child("matchPolicy"), webhook.matchPolicy, ["Equivalent", "Exact"]);
  const allowed = tolerance.sideEffects ? everySideEffect : harmless;
  if (!webhook.sideEffects) {
    field.child("sideEffects").required(`must specify one of ${allowed.join(", ")}`);
  } else checkOneOf(field.child("sideEffects"), webhook.sideEffects, allowed);
  const seconds = webhook.timeoutSeconds ?? 10;
  if (seconds < 1 || seconds > timeoutMaxSeconds) {
    const rule = "the timeout value must be between 1 and 30 seconds";
    field.child("timeoutSeconds").invalid(seconds, rule);
  }
  checkLabelSelector(field.child("namespaceSelector"), webhook.namespaceSelector);
  checkLabelSelector(field.child("objectSelector"), webhook.objectSelector);
  if (webhook.reinvocationPolicy) {
    const policies = ["IfNeeded", "Never"];
    checkOneOf(field.child("reinvocationPolicy"), webhook.reinvocationPolicy, policies);
  }
  checkWebhookClient(field.child("clientConfig"), webhook.clientConfig);
  if (tolerance.conditions) return;
  const conditions = itemsOf(webhook.matchConditions);
  checkMatchConditions(field.child("matchConditions"), conditions, checkExpression);
}

const timeoutMaxSeconds = 30;

function checkName(field: Field, name: string): void {
  if (name === "") return field.required();
  const problems = dns1123SubdomainProblems(name);
  if (problems.length > 0) return field.invalid(name, problems.join(","));
  if (name.split(".").length < 3) {
    field.invalid(name, "should be a domain with at least three segments separated by dots");
  }
}

const reviewVersions = ["v1", "v1beta1"];

let environment: Environment | undefined;

/** As the server will compile it: a condition of a webhook sees no namespace and no parameters. */
const checkExpression: ExpressionCheck = (field, expression) => {
  environment ??= admissionEnvironment({ hasAuthorizer: true });
  const { error } = compileFor(expression, environment, [boolType]);
  if (error !== undefined) field.invalid(expression, error);
};
