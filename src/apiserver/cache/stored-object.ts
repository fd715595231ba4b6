import type { JsonObject } from "#api/kind.ts";
import { invariant } from "#base/invariant.ts";
import { takeOver } from "#apiserver/cache/handed-over.ts";

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

  /** `decoded`, where somebody has it: frozen, and what a parse of the bytes gives. */
  constructor(key: string, revision: number, bytes: Uint8Array, decoded?: JsonObject) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
    this.#decoded = decoded && new WeakRef(decoded);
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

interface StoredEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/** Splices `resourceVersion` into stored bytes without parsing them. */
export function fromStoredBytes(entry: StoredEntry): StoredObject {
  const bytes = new Uint8Array(servedLength(entry));
  writeServed(entry, bytes);
  const { key, revision, value } = entry;
  return new StoredObject(key, revision, bytes, takeOver(value, revision));
}

/**
 * The same of many, for loading: the bytes of some tens of them lie in one piece of memory, because a piece for
 * each costs more than the splicing.
 */
export function* fromStoredEntries(entries: readonly StoredEntry[]): Generator<StoredObject> {
  let block = new Uint8Array();
  let used = 0;
  for (const [at, entry] of entries.entries()) {
    const length = servedLength(entry);
    if (used + length > block.length) {
      block = new Uint8Array(blockLength(entries, at));
      used = 0;
    }
    const bytes = block.subarray(used, used + length);
    used += length;
    writeServed(entry, bytes);
    yield new StoredObject(entry.key, entry.revision, bytes);
  }
}

/** The length of as many entries as fit into a block; at least of one. */
function blockLength(entries: readonly StoredEntry[], from: number): number {
  let length = 0;
  for (let at = from; at < entries.length; at += 1) {
    const entry = entries[at];
    const more = length + (entry === undefined ? 0 : servedLength(entry));
    if (length > 0 && more > blockBytesMax) break;
    length = more;
  }
  return length;
}

/** What stays in memory as long as one object in it does. */
const blockBytesMax = 64 * 1024;

function servedLength(entry: StoredEntry): number {
  return entry.value.length + versionMark.length + digitsOf(entry.revision) + 2;
}

function writeServed({ value, revision }: StoredEntry, into: Uint8Array): void {
  // The first brace after the object's own: kind and apiVersion are texts that have none.
  const at = value.indexOf(brace, 1) + 1;
  invariant(at > 0 && at < headerBytesMax, "stored bytes begin with kind, apiVersion and metadata");
  into.set(at === value.length ? value : value.subarray(0, at));
  into.set(versionMark, at);
  let end = at + versionMark.length + digitsOf(revision);
  into[end] = quote;
  into[end + 1] = comma;
  into.set(value.subarray(at), end + 2);
  for (let rest = revision; end > at + versionMark.length; rest = Math.floor(rest / 10)) {
    end -= 1;
    into[end] = zero + (rest % 10);
  }
}

function digitsOf(revision: number): number {
  let digits = 1;
  for (let rest = revision; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
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

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freezeDeep(inner);
  return Object.freeze(value);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const versionMark = encoder.encode('"resourceVersion":"');
const [brace = 0, quote = 0, comma = 0, zero = 0] = encoder.encode('{",0');
/** Kind and apiVersion are shorter than this: names of at most 63 and 253 + 63 letters. */
const headerBytesMax = 1_024;
