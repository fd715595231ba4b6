import type { ResourceQuota, ResourceQuotaSpec } from "#api/generated/types.ts";
import { checkAmount } from "#api/strategies/core/pod/resources.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, itemsOf, objectIn } from "#api/validation/given.ts";
import { isWholeQuantity } from "#api/validation/quantity.ts";

export const resourceQuotaStrategy = strategyFor<ResourceQuota>({
  hasGeneration: false,
  fillDefaults: (quota) => roundAmounts(objectIn(quota, "spec").hard),
  validate(root, quota) {
    const spec = quota.spec ?? {};
    checkHard(root.child("spec", "hard"), spec.hard);
    checkScopes(root.child("spec"), spec);
  },
  validateUpdate(root, quota, old) {
    const sorted = (spec: Given<ResourceQuotaSpec> | null | undefined): string[] =>
      itemsOf(spec?.scopes).toSorted();
    if (!sameMeaning(sorted(quota.spec), sorted(old.spec))) {
      root.child("spec", "scopes").invalid(itemsOf(quota.spec?.scopes), "field is immutable");
    }
  },
  validateStatusUpdate(root, quota) {
    checkHard(root.child("status", "hard"), quota.status?.hard);
    checkHard(root.child("status", "used"), quota.status?.used);
  },
});

const measured = new Set([
  "cpu",
  "memory",
  "ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
]);

const counted = new Set([
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "persistentvolumeclaims",
  "configmaps",
  "services.nodeports",
  "services.loadbalancers",
]);

function checkHard(
  field: Field,
  amounts: { readonly [name: string]: string } | null | undefined,
): void {
  for (const [name, amount] of entriesOf(amounts)) {
    const at = field.key(name);
    at.invalidAll(name, qualifiedNameProblems(name));
    const standard = measured.has(name) || counted.has(name) || /(^|\.)hugepages-/.test(name);
    if (!name.includes("/") && !standard) at.invalid(name, "must be a standard resource for quota");
    checkAmount(at, name, amount);
    if ((counted.has(name) || name.startsWith("count/")) && !isWholeQuantity(amount)) {
      at.invalid(amount, "must be an integer");
    }
  }
}

const scopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

function checkScopes(field: Field, spec: Given<ResourceQuotaSpec>): void {
  const named = itemsOf(spec.scopes);
  const at = field.child("scopes");
  for (const scope of named) {
    if (!scopes.includes(scope)) at.invalid(named, "unsupported scope");
  }
  for (const [one, other] of [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
  ] as const) {
    if (named.includes(one) && named.includes(other)) at.invalid(named, "conflicting scopes");
  }
  for (const [index, expression] of itemsOf(spec.scopeSelector?.matchExpressions).entries()) {
    const place = field.child("scopeSelector", "matchExpressions").index(index);
    checkOneOf(place.child("scopeName"), expression.scopeName, scopes);
    const { operator } = expression;
    const values = itemsOf(expression.values);
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        const rule =
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        place.child("values").required(rule);
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        const rule =
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        place.child("values").invalid(values, rule);
      }
    } else place.child("operator").invalid(operator ?? "", "not a valid selector operator");
  }
}
