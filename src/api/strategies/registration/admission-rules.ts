import type { MatchCondition, RuleWithOperations } from "#api/generated/types.ts";
import { checkOneOf, checkUnique } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

// What webhooks and policies say of the requests they want to see.

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

export function checkRule(field: Field, rule: Given<RuleWithOperations>): void {
  const named = itemsOf(rule.operations);
  if (named.length === 0) field.child("operations").required();
  if (named.length > 1 && named.includes("*")) {
    field
      .child("operations")
      .invalid(named, "if '*' is present, must not specify other operations");
  }
  for (const [index, operation] of named.entries()) {
    const at = field.child("operations").index(index);
    if (!operations.includes(operation)) at.notSupported(operation, operations);
  }
  checkNames(field.child("apiGroups"), itemsOf(rule.apiGroups), "API groups");
  const versions = itemsOf(rule.apiVersions);
  checkNames(field.child("apiVersions"), versions, "API versions");
  for (const [index, version] of versions.entries()) {
    if (version === "") field.child("apiVersions").index(index).required();
  }
  checkResources(field.child("resources"), itemsOf(rule.resources));
  if (rule.scope) checkOneOf(field.child("scope"), rule.scope, ["*", "Cluster", "Namespaced"]);
}

function checkNames(field: Field, names: readonly string[], what: string): void {
  if (names.length === 0) field.required();
  if (names.length > 1 && names.includes("*")) {
    field.invalid(names, `if '*' is present, must not specify other ${what}`);
  }
}

/** A name that another pattern of the list takes already is a mistake. */
function checkResources(field: Field, resources: readonly string[]): void {
  if (resources.length === 0) field.required();
  const wholes = new Set<string>();
  const parts = new Set<string>();
  for (const [index, pattern] of resources.entries()) {
    const at = field.index(index);
    const slash = pattern.indexOf("/");
    if (pattern === "") at.required();
    if (slash < 0) continue;
    const [resource, part] = [pattern.slice(0, slash), pattern.slice(slash + 1)];
    if (wholes.has(resource)) {
      at.invalid(pattern, `if '${resource}/*' is present, must not specify ${pattern}`);
    }
    if (parts.has(part)) {
      at.invalid(pattern, `if '*/${part}' is present, must not specify ${pattern}`);
    }
    if (part === "*") wholes.add(resource);
    if (resource === "*") parts.add(part);
  }
  if (resources.length > 1 && resources.includes("*/*")) {
    field.invalid(resources, "if '*/*' is present, must not specify other resources");
  }
  const lastPlain = resources.findLast((pattern) => pattern !== "" && !pattern.includes("/"));
  if (resources.includes("*") && lastPlain !== undefined && lastPlain !== "*") {
    const rule = "if '*' is present, must not specify other resources without subresources";
    field.invalid(resources, rule);
  }
}

const conditionsMax = 64;

/** Checks the expression of a condition; its name and that it is there are checked already. */
export type ExpressionCheck = (field: Field, expression: string) => void;

export function checkMatchConditions(
  field: Field,
  conditions: readonly Given<MatchCondition>[],
  checkExpression: ExpressionCheck,
): void {
  if (conditions.length > conditionsMax) field.tooMany(conditions.length, conditionsMax);
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = field.index(index);
    const trimmed = expression?.trim() ?? "";
    if (trimmed === "") at.child("expression").required();
    else checkExpression(at.child("expression"), trimmed);
    if (!name) at.child("name").required();
    else at.child("name").invalidAll(name, qualifiedNameProblems(name));
  }
  checkUnique(
    conditions.filter(({ name }) => name),
    ({ name }) => name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}
