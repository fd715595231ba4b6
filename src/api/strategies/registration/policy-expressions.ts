import { admissionEnvironment, compileFor } from "#api/cel/admission/environment.ts";
import { jsonPatchesType, objectType } from "#api/cel/admission/mutation-types.ts";
import { boolType, dynType, nullType, stringType, type Type } from "#api/cel/type.ts";
import type {
  AuditAnnotation,
  Mutation,
  ParamKind,
  ParamRef,
  RuleWithOperations,
  Validation,
  Variable,
} from "#api/generated/types.ts";
import { dns1035LabelProblems, dns1123SubdomainProblems, nameProblems } from "#api/names.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

/** What the expressions of one policy may name: its variables come to it as they are checked. */
export class PolicyNames {
  readonly #types = new Map<string, Type>();
  readonly #hasParams: boolean;
  readonly #mutates: boolean;

  constructor(paramKind: unknown, mutates = false) {
    this.#hasParams = paramKind !== undefined && paramKind !== null;
    this.#mutates = mutates;
  }

  /** Notes what is wrong with an expression; answers its type. */
  check(field: Field, source: string, results: readonly Type[], hasAuthorizer = true): Type {
    const environment = admissionEnvironment({
      hasParams: this.#hasParams,
      hasAuthorizer,
      mutates: this.#mutates,
      ...(this.#types.size > 0 && { variables: this.#types }),
    });
    const { program, error } = compileFor(source, environment, results);
    if (program !== undefined) return program.type;
    field.invalid(source, error);
    return dynType;
  }

  /** A condition sees no variables of the policy. */
  checkCondition = (field: Field, source: string): void => {
    const environment = admissionEnvironment({ hasParams: this.#hasParams, hasAuthorizer: true });
    const { error } = compileFor(source, environment, [boolType]);
    if (error !== undefined) field.invalid(source, error);
  };

  checkVariables(field: Field, variables: readonly Given<Variable>[]): void {
    for (const [index, variable] of variables.entries()) {
      const at = field.index(index);
      const [name, expression] = [variable.name ?? "", variable.expression ?? ""];
      if (name.trim() === "") at.child("name").required("name is not specified");
      else if (!isIdentifier(name))
        at.child("name").invalid(name, "must be a valid CEL identifier");
      const source = at.child("expression");
      if (expression.trim() === "") source.required("expression is not specified");
      else this.#types.set(name, this.check(source, expression, []));
    }
  }
}

const words: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_]\w*$/.test(name) && !words.has(name);
}

const reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

export function checkValidation(field: Field, given: Given<Validation>, names: PolicyNames): void {
  const { reason } = given;
  const [expression, message] = [given.expression ?? "", given.message ?? ""];
  const messageExpression = given.messageExpression ?? "";
  if (expression.trim() === "") field.child("expression").required("expression is not specified");
  else names.check(field.child("expression"), expression, [boolType]);
  const telling = field.child("messageExpression");
  if (messageExpression !== "" && messageExpression.trim() === "") {
    telling.invalid(messageExpression, "must be non-empty if specified");
  } else if (messageExpression !== "") names.check(telling, messageExpression, [stringType], false);
  if (message !== "" && message.trim() === "") {
    field.child("message").invalid(message, "must be non-empty if specified");
  } else if (/[\n\r]/.test(message.trim())) {
    field.child("message").invalid(message, "must not contain line breaks");
  }
  if (reason && !reasons.includes(reason)) field.child("reason").notSupported(reason, reasons);
}

const annotationsMax = 20;
const annotationBytesMax = 5 * 1024;

export function checkAuditAnnotations(
  field: Field,
  annotations: readonly Given<AuditAnnotation>[],
  { policy, names }: { readonly policy: string; readonly names: PolicyNames },
): void {
  if (annotations.length > annotationsMax) {
    field.invalid(annotations, `must not have more than ${annotationsMax} auditAnnotations`);
  }
  const seen = new Set<string>();
  for (const [index, annotation] of annotations.entries()) {
    const at = field.index(index);
    const [key, valueExpression] = [annotation.key ?? "", annotation.valueExpression ?? ""];
    if (policy === "") at.child("key").invalid(key, "requires metadata.name be non-empty");
    else at.child("key").invalidAll(`${policy}/${key}`, qualifiedNameProblems(`${policy}/${key}`));
    const source = at.child("valueExpression");
    const trimmed = valueExpression.trim();
    if (trimmed === "") source.required("valueExpression is not specified");
    else if (new TextEncoder().encode(trimmed).length > annotationBytesMax) {
      source.required(`must not exceed ${annotationBytesMax} bytes in length`);
    } else names.check(source, trimmed, [stringType, nullType]);
    if (seen.has(key)) at.child("key").duplicate(key);
    seen.add(key);
  }
}

const patchTypes = ["ApplyConfiguration", "JSONPatch"];

export function checkMutation(field: Field, mutation: Given<Mutation>, names: PolicyNames): void {
  const { applyConfiguration, jsonPatch } = mutation;
  const patchType = mutation.patchType ?? "";
  checkOneOf(field.child("patchType"), patchType, patchTypes);
  if (!patchTypes.includes(patchType)) return;
  const isPatch = patchType === "JSONPatch";
  const [own, other] = isPatch
    ? (["jsonPatch", "applyConfiguration"] as const)
    : (["applyConfiguration", "jsonPatch"] as const);
  const given = isPatch ? jsonPatch : applyConfiguration;
  if (!given) field.child(own).required(`must be specified when patchType is ${patchType}`);
  else {
    const source = given.expression?.trim() ?? "";
    const at = field.child(own, "expression");
    if (source === "") at.required();
    else names.check(at, source, [isPatch ? jsonPatchesType : objectType]);
  }
  if (mutation[other]) {
    field
      .child(other)
      .invalid(`{${other}}`, `must not be specified when patchType is ${patchType}`);
  }
}

export function checkPolicyName(field: Field, name: string | null | undefined): void {
  if (!name) field.required();
  else field.invalidAll(name, dns1123SubdomainProblems(name));
}

export function checkParamKind(field: Field, given: Given<ParamKind> | null | undefined): void {
  if (!given) return;
  const [apiVersion, kind] = [given.apiVersion ?? "", given.kind ?? ""];
  const at = field.child("apiVersion");
  const parts = apiVersion.split("/");
  if (apiVersion === "") at.required();
  else if (parts.length > 2)
    at.invalid(apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  else {
    const version = parts.at(-1) ?? "";
    const [group = ""] = parts.length === 2 ? parts : [];
    if (group !== "") at.invalidAll(group, dns1123SubdomainProblems(group));
    if (version === "") at.invalid(apiVersion, "version must be specified");
    else at.invalidAll(version, dns1035LabelProblems(version));
  }
  if (kind === "") return field.child("kind").required();
  const problems = dns1035LabelProblems(kind.toLowerCase());
  if (problems.length > 0) {
    const detail = `may have mixed case, but should otherwise match: ${problems.join(",")}`;
    field.child("kind").invalid(kind, detail);
  }
}

export function checkParamRef(field: Field, given: Given<ParamRef> | null | undefined): void {
  if (!given) return;
  const { selector, parameterNotFoundAction } = given;
  const name = given.name ?? "";
  if (name !== "") {
    field.child("name").invalidAll(name, nameProblems("pathSegment", name));
    if (selector) {
      field.child("name").forbidden("name and selector are mutually exclusive");
      field.child("selector").forbidden("name and selector are mutually exclusive");
    }
  }
  if (selector) checkLabelSelector(field.child("selector"), selector);
  if (name === "" && !selector) field.required("one of name or selector must be specified");
  const at = field.child("parameterNotFoundAction");
  if (!parameterNotFoundAction) at.required();
  else if (!["Allow", "Deny"].includes(parameterNotFoundAction)) {
    at.notSupported(parameterNotFoundAction, ["Deny", "Allow"]);
  }
}

/** A mutation can be made of what is written only. */
export function checkMutatingOperations(
  field: Field,
  rules: readonly Given<RuleWithOperations>[],
): void {
  for (const operation of rules.flatMap((rule) => itemsOf(rule.operations))) {
    if (!["CREATE", "UPDATE"].includes(operation)) {
      field.child("resourceRules", "operations").notSupported(operation, ["CREATE", "UPDATE"]);
    }
  }
}
