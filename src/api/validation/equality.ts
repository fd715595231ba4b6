import type { Field } from "#api/validation/field.ts";
import { sameQuantity } from "#api/validation/quantity.ts";

/**
 * Whether two values mean the same to the API. Absent, null, false, 0, "" and what is empty count as equal, because
 * typed clients cannot tell them apart; resource amounts are compared as quantities.
 */
export function sameMeaning(a: unknown, b: unknown): boolean {
  return same(a, b, false);
}

const immutableMessage = "field is immutable";

/** Notes the field as immutable when its value has changed. */
export function checkImmutable(field: Field, value: unknown, old: unknown): void {
  if (!sameMeaning(value, old)) field.invalid(value, immutableMessage);
}

/** The paths below `path` at which two values differ, with both values: for messages. At most `limit`. */
export function differences(a: unknown, b: unknown, path = "", limit = 10): readonly string[] {
  if (sameMeaning(a, b)) return [];
  if (isPlain(a) && isPlain(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    const join = (name: string): string => (path === "" ? name : `${path}.${name}`);
    return names
      .flatMap((name) => differences(a[name], b[name], join(name), limit))
      .slice(0, limit);
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    return a
      .flatMap((item, index) => differences(item, b[index], `${path}[${index}]`, limit))
      .slice(0, limit);
  }
  return [`  ${path}: ${shown(a)} -> ${shown(b)}`];
}

function same(a: unknown, b: unknown, amounts: boolean): boolean {
  if (a === b || (isZero(a) && isZero(b))) return true;
  if (amounts && sameQuantity(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item, b[index], amounts));
  }
  if (isPlain(a) || isPlain(b)) return sameFields(a, b, amounts);
  return false;
}

/** An absent object is the same as one whose fields all are zero. */
function sameFields(a: unknown, b: unknown, amounts: boolean): boolean {
  if (!(isPlain(a) || isZero(a)) || !(isPlain(b) || isZero(b))) return false;
  const left = isPlain(a) ? a : {};
  const right = isPlain(b) ? b : {};
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) =>
    same(left[name], right[name], amounts || amountFields.has(name)),
  );
}

const amountFields: ReadonlySet<string> = new Set([
  "allocatable",
  "capacity",
  "default",
  "defaultRequest",
  "divisor",
  "hard",
  "limits",
  "max",
  "maxLimitRequestRatio",
  "min",
  "overhead",
  "podFixed",
  "requests",
  "sizeLimit",
]);

function isZero(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    value === 0 ||
    value === "" ||
    (Array.isArray(value) && value.length === 0) ||
    (isPlain(value) && Object.keys(value).length === 0)
  );
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = value === undefined ? "(unset)" : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
