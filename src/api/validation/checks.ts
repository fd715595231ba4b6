import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import type { Field } from "#api/validation/field.ts";
import {
  percentProblems,
  portNameProblems,
  portNumberProblems,
  qualifiedNameProblems,
} from "#api/validation/formats.ts";
import { nanosOf } from "#api/validation/quantity.ts";

// Checks of single values that many kinds share. Each notes its causes at the field.

const notNegative = "must be greater than or equal to 0";
export const notPositive = "must be greater than zero";

/** Absent numbers pass. */
export function checkNonNegative(field: Field, value: number | null | undefined): void {
  if (value !== undefined && value !== null && value < 0) field.invalid(value, notNegative);
}

export function checkPositive(field: Field, value: number | null | undefined): void {
  if (value !== undefined && value !== null && value <= 0) field.invalid(value, notPositive);
}

/** A text that must be there and be one of a few. */
export function checkOneOf(
  field: Field,
  value: string | null | undefined,
  supported: readonly string[],
): void {
  if (!value) field.required();
  else if (!supported.includes(value)) field.notSupported(value, supported);
}

/** As `checkOneOf`, but absent passes. */
export function checkOneOfIfSet(
  field: Field,
  value: string | null | undefined,
  supported: readonly string[],
): void {
  if (value !== undefined && value !== null && !supported.includes(value)) {
    field.notSupported(value, supported);
  }
}

export function checkRequired(field: Field, value: unknown, detail = ""): boolean {
  const missing = value === undefined || value === null || value === "";
  if (missing) field.required(detail);
  return !missing;
}

/** A text that must be there and in which `problemsOf` finds nothing. */
export function checkFormat(
  field: Field,
  value: string | null | undefined,
  problemsOf: (value: string) => readonly string[],
): void {
  if (checkRequired(field, value)) field.invalidAll(value, problemsOf(value ?? ""));
}

export function checkLabelName(field: Field, value: string | null | undefined): void {
  checkFormat(field, value, dns1123LabelProblems);
}

export function checkSubdomainName(field: Field, value: string | null | undefined): void {
  checkFormat(field, value, dns1123SubdomainProblems);
}

/** Unlike names of objects, an absent qualified name is a wrong one. */
export function checkQualifiedName(field: Field, value: string | null | undefined): void {
  field.invalidAll(value ?? "", qualifiedNameProblems(value ?? ""));
}

/** The number or the name of a port. */
export function checkPort(field: Field, value: number | string | null | undefined): void {
  if (typeof value === "string") field.invalidAll(value, portNameProblems(value));
  else field.invalidAll(value ?? 0, portNumberProblems(value ?? 0));
}

/** A count or a percentage (`maxUnavailable`). */
export function checkCountOrPercent(field: Field, value: number | string | null | undefined): void {
  if (typeof value === "string") field.invalidAll(value, percentProblems(value));
  else checkNonNegative(field, value);
}

/** A percentage over 100 is refused where it counts pods of a whole. */
export function checkAtMostWhole(field: Field, value: number | string | null | undefined): void {
  if (typeof value === "string" && percentProblems(value).length === 0 && percentOf(value) > 100) {
    field.invalid(value, "must not be greater than 100%");
  }
}

/** The number before "%"; 0 where the text is no percentage. */
function percentOf(value: string): number {
  return percentProblems(value).length === 0 ? Number(value.slice(0, -1)) : 0;
}

export function isZeroCount(value: number | string | null | undefined): boolean {
  return typeof value === "string" ? percentOf(value) === 0 : (value ?? 0) === 0;
}

export function checkQuantity(field: Field, value: unknown): void {
  const nanos = nanosOf(value);
  if (nanos === undefined) field.invalid(value, 'must be a quantity such as "500m" or "1Gi"');
  else if (nanos < 0n) field.invalid(value, notNegative);
}

export function checkPositiveQuantity(field: Field, value: unknown): void {
  checkQuantity(field, value);
  if (nanosOf(value) === 0n) field.invalid(value, notPositive);
}

/** Says which items of a list have a key that an earlier one has. */
export function checkUnique<Item>(
  list: readonly Item[],
  keyOf: (item: Item) => string,
  note: (index: number, key: string) => void,
): void {
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const key = keyOf(item);
    if (seen.has(key)) note(index, key);
    seen.add(key);
  }
}
