import type { JsonObject } from "#api/kind.ts";

/**
 * What writers have in hand while its bytes are on their way through the store: the cache takes it over where it would
 * have to parse the same bytes again. Held no longer than the bytes are on their way.
 */
const underWay = new WeakMap<Uint8Array, JsonObject>();

/**
 * Before the bytes are written. `object` is what they were made of; whoever hands it over changes nothing in it from
 * then on: once it is stored it is frozen and shared.
 */
export function handOver(bytes: Uint8Array, object: JsonObject): void {
  underWay.set(bytes, object);
}

/**
 * What a parse of the bytes would give at this revision, frozen through and through. Undefined where nothing was
 * handed over or where the bytes say something else: JSON leaves out what is undefined, for instance.
 */
export function takeOver(bytes: Uint8Array, revision: number): JsonObject | undefined {
  const handed = underWay.get(bytes);
  if (handed === undefined) return undefined;
  underWay.delete(bytes);
  const { kind, apiVersion, metadata, ...rest } = handed;
  const { resourceVersion: _, ...others } = metadata as JsonObject;
  const versioned = { resourceVersion: String(revision), ...others };
  const object = { kind, apiVersion, metadata: versioned, ...rest } as JsonObject;
  return freezeParsed(object) ? object : undefined;
}

/** Freezes on the way; false as soon as there is something that JSON does not give back as it was. */
function freezeParsed(value: unknown): boolean {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at += 1) if (!freezeParsed(value[at])) return false;
  } else {
    if (Object.getPrototypeOf(value) !== Object.prototype) return false;
    const fields = value as JsonObject;
    for (const name of Object.keys(fields)) if (!freezeParsed(fields[name])) return false;
  }
  Object.freeze(value);
  return true;
}
