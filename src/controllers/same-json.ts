/**
 * Whether two values say the same: fields in any order, and an absent field is the same as an empty one (`null`,
 * `{}`, `[]`), as upstream's semantic equality has it.
 */
export function sameJson(left: unknown, right: unknown): boolean {
  return left === right || canonicalJson(left) === canonicalJson(right);
}

/** JSON with sorted fields and without empty ones: equal texts mean equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_field, part: unknown) => tidy(part)) ?? "null";
}

function tidy(part: unknown): unknown {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
  const fields = Object.entries(part).filter(([, value]) => !isEmpty(value));
  return Object.fromEntries(fields.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
