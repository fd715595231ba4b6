import type { Kind } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import {
  encodeStored,
  fromStoredBytes,
  type StoredObject,
} from "#apiserver/cache/stored-object.ts";
import { invariant } from "#base/invariant.ts";
import type { JsonObject } from "#api/kind.ts";
import { cloneJson } from "#apiserver/objects/json.ts";

/**
 * A stored object as a kind shows it. Where a kind shares its storage with another the converted form is kept as
 * long as the stored one is.
 */
export function viewOf(kind: Kind, stored: StoredObject): StoredObject {
  const { convert } = kind.stored;
  if (convert === undefined) return stored;
  const known = converted.get(stored)?.get(kind);
  if (known !== undefined) return known;
  invariant(showsItself(kind, stored), "what a webhook converts is converted before it is shown");
  return keepView(kind, stored, stored.draft());
}

/** Makes the view of a stored object from its content in the kind's version, which the caller gives away. */
export function keepView(kind: Kind, stored: StoredObject, content: JsonObject): StoredObject {
  const object = kind.stored.convert?.fromStored(content) ?? content;
  stamp(object, kind);
  let view = fromStoredBytes({
    key: stored.key,
    revision: stored.revision,
    value: encodeStored(object),
  });
  if (sameBytes(view.bytes, stored.bytes)) view = stored;
  const views = converted.get(stored) ?? new WeakMap<Kind, StoredObject>();
  converted.set(stored, views.set(kind, view));
  return view;
}

/** Whether `viewOf` can answer as things are. */
export function hasView(kind: Kind, stored: StoredObject): boolean {
  return converted.get(stored)?.has(kind) === true || showsItself(kind, stored);
}

/** No webhook is needed: there is none, or the object was stored in the kind's own version. */
function showsItself(kind: Kind, stored: StoredObject): boolean {
  return kind.stored.webhook === undefined || stored.object.apiVersion === apiVersionOf(kind);
}

/** Kinds of custom resources come and go. */
const converted = new WeakMap<StoredObject, WeakMap<Kind, StoredObject>>();

/** Most custom objects are stored as they are shown: then they are held once. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) {
    if (a[at] !== b[at]) return false;
  }
  return true;
}

/** The bytes under which an object of this kind is kept. `object` is not changed. */
export function storedBytes(kind: Kind, object: JsonObject): Uint8Array {
  const { stored } = kind;
  const form = stored.convert ? stored.convert.toStored(cloneJson(object)) : object;
  return encodeStored({ ...form, kind: stored.kind, apiVersion: apiVersionOf(stored) });
}

/** Names the kind in the object itself. */
export function stamp(object: JsonObject, kind: Kind): void {
  object.kind = kind.kind;
  object.apiVersion = apiVersionOf(kind);
}
