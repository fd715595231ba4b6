import type { JsonObject } from "#api/kind.ts";
import { cloneJson, isObject, stringAt } from "#apiserver/objects/json.ts";

/**
 * A converted object with the metadata of the original one: a webhook may change labels and annotations there, and
 * nothing else. Throws an `Error` for an object that is not the original one in the version that was asked for.
 */
export function checkedConversion(
  original: JsonObject,
  converted: unknown,
  desired: string,
): JsonObject {
  if (!isObject(converted)) throw new Error("returned invalid converted object: not an object");
  const version = stringAt(converted, "apiVersion");
  if (version !== desired) {
    throw new Error(
      `returned invalid object: invalid groupVersion (expected ${desired}, received ${version})`,
    );
  }
  const [expected, kind] = [stringAt(original, "kind"), stringAt(converted, "kind")];
  if (kind !== expected) {
    throw new Error(
      `returned invalid object: invalid kind (expected ${expected}, received ${kind})`,
    );
  }
  return { ...cloneJson(converted), metadata: restored(original.metadata, converted.metadata) };
}

function restored(original: unknown, converted: unknown): JsonObject {
  if (converted === undefined) {
    throw new Error("returned invalid metadata: missing metadata in converted object");
  }
  if (!isObject(converted)) {
    throw new Error(
      `returned invalid metadata: invalid metadata of type ${typeof converted} in converted object`,
    );
  }
  const before = isObject(original) ? original : {};
  for (const [field, word] of identity) {
    const [asked, given] = [stringAt(before, field), stringAt(converted, field)];
    if (asked !== given) {
      throw new Error(`returned invalid object: must have the same ${word}: ${asked} != ${given}`);
    }
  }
  const metadata = cloneJson(before);
  for (const field of ["labels", "annotations"]) {
    const texts = textsAt(converted, field);
    if (texts === undefined) delete metadata[field];
    else metadata[field] = texts;
  }
  return metadata;
}

const identity = [
  ["name", "name"],
  ["namespace", "namespace"],
  ["uid", "UID"],
] as const;

function textsAt(metadata: JsonObject, field: string): JsonObject | undefined {
  const value = metadata[field];
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) {
    throw new Error(
      `returned invalid metadata: invalid metadata.${field} of type ${typeof value} in converted object`,
    );
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === "string") continue;
    throw new Error(
      `returned invalid metadata: metadata.${field}[${name}] must be a string, but is ${typeof text} in converted object`,
    );
  }
  return cloneJson(value);
}
