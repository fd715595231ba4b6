import type { LimitRange, LimitRangeItem } from "#api/generated/types.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkQuantity, checkRequired } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { entriesOf, type Filling, type Given, itemsOf } from "#api/validation/given.ts";
import { nanosOf } from "#api/validation/quantity.ts";

export const limitRangeStrategy = strategyFor<LimitRange>({
  createOnUpdate: true,
  fillDefaults(limitRange) {
    for (const item of limitRange.spec?.limits ?? []) if (item) fillItem(item);
  },
  validate(root, limitRange) {
    const field = root.child("spec", "limits");
    const types = new Set<string>();
    for (const [index, item] of itemsOf(limitRange.spec?.limits).entries()) {
      const at = field.index(index);
      const type = item.type ?? "";
      if (checkRequired(at.child("type"), type)) {
        at.child("type").invalidAll(type, qualifiedNameProblems(type));
      }
      if (types.has(type)) at.child("type").duplicate(type);
      types.add(type);
      checkItem(at, item);
    }
  },
});

/** A container's maximum is also its default limit, its default limit or minimum its default request. */
function fillItem(item: Filling<LimitRangeItem>): void {
  for (const name of lists) roundAmounts(item[name]);
  if (item.type !== "Container") return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}

const lists = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

/** Each bound with those that may not be below it. */
const order = [
  ["min", "max"],
  ["defaultRequest", "max"],
  ["default", "max"],
  ["min", "default"],
  ["min", "defaultRequest"],
  ["defaultRequest", "default"],
] as const;

function checkItem(field: Field, item: Given<LimitRangeItem>): void {
  for (const name of lists) {
    for (const [resource, amount] of entriesOf(item[name])) {
      checkQuantity(field.child(name).key(resource), amount);
    }
  }
  if (item.type === "Pod") {
    for (const name of ["default", "defaultRequest"] as const) {
      if (entriesOf(item[name]).length > 0) {
        field.child(name).forbidden("may not be specified when `type` is 'Pod'");
      }
    }
  }
  if (item.type === "PersistentVolumeClaim" && !item.min?.["storage"] && !item.max?.["storage"]) {
    field.required("either minimum or maximum storage value is required, but neither was provided");
  }
  for (const [low, high] of order) {
    for (const [resource, amount] of entriesOf(item[low])) {
      const bound = item[high]?.[resource];
      if (bound === undefined || (nanosOf(amount) ?? 0n) <= (nanosOf(bound) ?? 0n)) continue;
      const rule = `${words[low]} value ${amount} is greater than ${words[high]} value ${bound}`;
      field.child(low).key(resource).invalid(amount, rule);
    }
  }
}

const words = {
  min: "min",
  max: "max",
  default: "default limit",
  defaultRequest: "default request",
} as const;
