import type { Json } from "#api/meta.ts";
import { isObject, type JsonObject } from "#api/patch/json-object.ts";

/**
 * Warnings for integers that JavaScript does not hold exactly, beyond ±(2^53 - 1): upstream keeps 64 bits. What was
 * sent cannot be told from what it became, so whoever sent it is told.
 */
export function largeIntegerWarnings(object: JsonObject): readonly string[] {
  const { metadata: _metadata, ...own } = object;
  const warnings: string[] = [];
  find(own, "", warnings);
  return warnings;
}

const warningsMax = 8;

function find(value: Json, path: string, warnings: string[]): void {
  if (warnings.length >= warningsMax) return;
  if (typeof value === "number") {
    if (Number.isSafeInteger(value) || !Number.isInteger(value) || Math.abs(value) > 2 ** 63)
      return;
    warnings.push(
      `${path}: ${BigInt(value)} may not be exactly what was sent: integers beyond ${Number.MAX_SAFE_INTEGER} are rounded`,
    );
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) find(item, `${path}[${index}]`, warnings);
  } else if (isObject(value)) {
    for (const [name, inner] of Object.entries(value)) {
      find(inner, path === "" ? name : `${path}.${name}`, warnings);
    }
  }
}
