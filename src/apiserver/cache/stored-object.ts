import type { JsonObject } from "#api/kind.ts";
import { invariant } from "#base/invariant.ts";

/**
 * One version of one object as the cache holds it: the bytes that are served, `resourceVersion` included, and,
 * only while somebody uses it, the decoded form, which is frozen and shared by everybody who asks.
 */
export class StoredObject {
  readonly key: string;
  readonly revision: number;
  /** The whole object as JSON, as a client gets it. */
  readonly bytes: Uint8Array;
  #decoded: WeakRef<JsonObject> | undefined;
  #labels: Readonly<Record<string, string>> | undefined;

  constructor(key: string, revision: number, bytes: Uint8Array) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
  }

  /** Frozen, through and through. */
  get object(): JsonObject {
    const known = this.#decoded?.deref();
    if (known !== undefined) return known;
    const decoded = freezeDeep(this.draft());
    this.#decoded = new WeakRef(decoded);
    return decoded;
  }

  get labels(): Readonly<Record<string, string>> {
    this.#labels ??= (this.object.metadata as { labels?: Record<string, string> }).labels ?? {};
    return this.#labels;
  }

  /** A copy of its own that the caller may change. */
  draft(): JsonObject {
    return JSON.parse(decoder.decode(this.bytes)) as JsonObject;
  }

  /** The same content at another revision: what a deletion shows. */
  at(revision: number): StoredObject {
    const object = this.draft();
    return fromStoredBytes({ key: this.key, revision, value: encodeStored(object) });
  }
}

/** Splices `resourceVersion` into stored bytes without parsing them. */
export function fromStoredBytes(entry: {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}): StoredObject {
  const at = metadataStart(entry.value);
  const version = encoder.encode(`"resourceVersion":"${entry.revision}",`);
  const bytes = new Uint8Array(entry.value.length + version.length);
  bytes.set(entry.value.subarray(0, at));
  bytes.set(version, at);
  bytes.set(entry.value.subarray(at), at + version.length);
  return new StoredObject(entry.key, entry.revision, bytes);
}

/**
 * The stored form: JSON that begins with kind, apiVersion and metadata, in this order, and holds no
 * `resourceVersion`. `metadata` has at least a name.
 */
export function encodeStored(object: JsonObject): Uint8Array {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, ...stored } = metadata as JsonObject;
  return encoder.encode(JSON.stringify({ kind, apiVersion, metadata: stored, ...rest }));
}

function metadataStart(bytes: Uint8Array): number {
  for (let at = 0; at < Math.min(bytes.length, headerBytesMax) - metadataMark.length; at += 1) {
    if (matchesAt(bytes, at)) return at + metadataMark.length;
  }
  invariant(false, "stored bytes begin with kind, apiVersion and metadata");
}

function matchesAt(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < metadataMark.length; index += 1) {
    if (bytes[at + index] !== metadataMark[index]) return false;
  }
  return true;
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freezeDeep(inner);
  return Object.freeze(value);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const metadataMark = encoder.encode('"metadata":{');
/** Kind and apiVersion are shorter than this: names of at most 63 and 253 + 63 letters. */
const headerBytesMax = 1_024;
