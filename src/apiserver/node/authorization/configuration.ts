import { parseGoDuration } from "#base/go-duration.ts";
import { boolType, dynType, mapOf, stringType } from "#api/cel/type.ts";
import { compileExpression, type Program } from "#api/cel/compile-expression.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";

/** `AuthorizationConfiguration` of `apiserver.config.k8s.io/v1` (KEP-3221). */
export interface AuthorizationConfiguration {
  readonly apiVersion: string;
  readonly kind: string;
  readonly authorizers: readonly ConfiguredAuthorizer[];
}

export interface ConfiguredAuthorizer {
  readonly type: string;
  readonly name: string;
  readonly webhook: ConfiguredWebhook;
}

export interface ConfiguredWebhook {
  readonly authorizedTTL: string;
  readonly unauthorizedTTL: string;
  readonly timeout: string;
  readonly subjectAccessReviewVersion: string;
  readonly matchConditionSubjectAccessReviewVersion: string;
  readonly failurePolicy: string;
  readonly connectionInfo: { readonly type: string; readonly kubeConfigFile: string };
  readonly matchConditions: readonly { readonly expression: string }[];
}

const types = ["Node", "RBAC", "Webhook"];
const matchConditionsMax = 64;
const timeoutMaxMs = 30_000;

/** @throws an Error that names every field that is wrong */
export function readAuthorizationConfiguration(value: unknown): Given<AuthorizationConfiguration> {
  const given = (value ?? {}) as Given<AuthorizationConfiguration>;
  const [group, version = ""] = (given.apiVersion ?? "").split("/");
  const isKnown = group === "apiserver.config.k8s.io" && ["v1", "v1beta1"].includes(version);
  if (!isKnown || given.kind !== "AuthorizationConfiguration") {
    throw new Error(
      `it is of "${given.apiVersion ?? ""}" "${given.kind ?? ""}" and not of "apiserver.config.k8s.io/v1" "AuthorizationConfiguration"`,
    );
  }
  const causes = causesOf((root) => check(given, root));
  if (causes.length > 0)
    throw new Error(causes.map(({ field, message }) => `${field}: ${message}`).join("; "));
  return given;
}

function check(given: Given<AuthorizationConfiguration>, root: Field): void {
  const field = root.child("authorizers");
  const authorizers = itemsOf(given.authorizers);
  if (authorizers.length === 0) field.required("at least one authorization mode must be defined");
  for (const [at, { type, name, webhook }] of authorizers.entries()) {
    const one = field.index(at);
    if (!type) one.child("type").required();
    else if (!types.includes(type)) one.child("type").notSupported(type, types);
    const isSecond = authorizers.findIndex((other) => other.type === type) < at;
    if (isSecond && type !== "Webhook") one.child("type").duplicate(type);
    if (!name) one.child("name").required();
    else if (authorizers.findIndex((other) => other.name === name) < at)
      one.child("name").duplicate(name);
    else if (type && types.includes(type) && type !== "Webhook" && name !== type.toLowerCase())
      one.child("name").invalid(name, `expected name ${type.toLowerCase()} for authorizer ${type}`);
    if (type === "Webhook") checkWebhook(webhook, one.child("webhook"));
    else if (webhook) {
      one.child("webhook").invalid("non-null", "may only be specified when type=Webhook");
    }
  }
}

function checkWebhook(webhook: Given<ConfiguredWebhook> | null | undefined, field: Field): void {
  if (!webhook) return field.required("required when type=Webhook");
  const timeout = field.child("timeout");
  if (!webhook.timeout) timeout.required();
  else {
    const timeoutMs = parseGoDuration(webhook.timeout) ?? 0;
    if (timeoutMs <= 0 || timeoutMs > timeoutMaxMs)
      timeout.invalid(webhook.timeout, "must be > 0s and <= 30s");
  }
  for (const name of ["authorizedTTL", "unauthorizedTTL"] as const) {
    const text = webhook[name];
    if (text && (parseGoDuration(text) ?? -1) < 0) field.child(name).invalid(text, "must be > 0s");
  }
  checkChoice(field.child("subjectAccessReviewVersion"), webhook.subjectAccessReviewVersion, [
    "v1",
    "v1beta1",
  ]);
  if (itemsOf(webhook.matchConditions).length > 0) {
    const version = webhook.matchConditionSubjectAccessReviewVersion;
    checkChoice(field.child("matchConditionSubjectAccessReviewVersion"), version, ["v1"]);
  }
  checkChoice(field.child("failurePolicy"), webhook.failurePolicy, ["NoOpinion", "Deny"]);
  const { type, kubeConfigFile } = webhook.connectionInfo ?? {};
  const connection = field.child("connectionInfo");
  // A server that starts itself has no service account of a pod: `InClusterConfig` would have nothing to read.
  checkChoice(connection.child("type"), type, ["KubeConfigFile"]);
  if (type === "KubeConfigFile" && !kubeConfigFile) connection.child("kubeConfigFile").required();
  checkConditions(webhook, field.child("matchConditions"));
}

function checkChoice(
  field: Field,
  value: string | null | undefined,
  choices: readonly string[],
): void {
  if (!value) field.required();
  else if (!choices.includes(value)) field.notSupported(value, choices);
}

function checkConditions({ matchConditions }: Given<ConfiguredWebhook>, field: Field): void {
  const conditions = itemsOf(matchConditions);
  if (conditions.length > matchConditionsMax) field.tooMany(conditions.length, matchConditionsMax);
  for (const [at, { expression }] of conditions.entries()) {
    const place = field.index(at).child("expression");
    if (!expression) place.required();
    else {
      const compiled = compileCondition(expression);
      if ("problem" in compiled) place.invalid(expression, compiled.problem);
    }
  }
}

const environment = kubernetesEnvironment(new Map([["request", mapOf(stringType, dynType)]]));

/** An expression about `request`, the `spec` of the `SubjectAccessReview` that would be asked. */
export function compileCondition(
  source: string,
): { readonly program: Program } | { readonly problem: string } {
  const { program, errors } = compileExpression(source, environment);
  if (errors !== undefined) return { problem: `compilation failed: ${errors}` };
  return program.type.kind === boolType.kind || program.type.kind === dynType.kind
    ? { program }
    : { problem: "must evaluate to bool" };
}
