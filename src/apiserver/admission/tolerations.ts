import type { JsonObject } from "#api/kind.ts";
import { numberAt, sameJson, stringAt } from "#apiserver/objects/json.ts";

/** Two lists as one, without those that another one of them covers. */
export function mergeTolerations(
  first: readonly JsonObject[],
  second: readonly JsonObject[],
): JsonObject[] {
  const all = [...first, ...second];
  const merged: JsonObject[] = [];
  for (const [index, one] of all.entries()) {
    const later = all.slice(index + 1).filter((other) => !sameJson(one, other));
    if ([...merged, ...later].some((other) => covers(other, one))) continue;
    merged.push(one);
  }
  return merged;
}

/** Whether each of the tolerations is covered by one that is allowed; an empty list allows all. */
export function areAllowed(
  tolerations: readonly JsonObject[],
  allowed: readonly JsonObject[],
): boolean {
  if (allowed.length === 0) return true;
  return tolerations.every((one) => allowed.some((other) => covers(other, one)));
}

function covers(wide: JsonObject, narrow: JsonObject): boolean {
  if (sameJson(wide, narrow)) return true;
  const [key, operator] = [stringAt(wide, "key"), stringAt(wide, "operator")];
  if (stringAt(narrow, "key") !== key && (key !== "" || operator !== "Exists")) return false;
  const effect = stringAt(wide, "effect");
  if (effect !== "" && stringAt(narrow, "effect") !== effect) return false;
  if (effect === "NoExecute" && !lastsAsLong(wide, narrow)) return false;
  if (operator === "Exists") return true;
  if (operator !== "" && operator !== "Equal") return false;
  return (
    stringAt(narrow, "operator") === "Equal" &&
    stringAt(narrow, "value") === stringAt(wide, "value")
  );
}

function lastsAsLong(wide: JsonObject, narrow: JsonObject): boolean {
  const seconds = numberAt(wide, "tolerationSeconds");
  if (seconds === undefined) return true;
  return (numberAt(narrow, "tolerationSeconds") ?? Number.POSITIVE_INFINITY) <= seconds;
}
