import type { Kind } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import {
  encodeStored,
  fromStoredBytes,
  type StoredObject,
} from "#apiserver/cache/stored-object.ts";
import type { JsonObject } from "#api/kind.ts";
import { cloneJson } from "#apiserver/objects/json.ts";

/**
 * A stored object as a kind shows it. Where a kind shares its storage with another the converted form is kept as
 * long as the stored one is.
 */
export function viewOf(kind: Kind, stored: StoredObject): StoredObject {
  const { convert } = kind.stored;
  if (convert === undefined) return stored;
  let views = converted.get(stored);
  if (views === undefined) {
    views = new WeakMap();
    converted.set(stored, views);
  }
  let view = views.get(kind);
  if (view === undefined) {
    const object = convert.fromStored(stored.draft());
    stamp(object, kind);
    view = fromStoredBytes({
      key: stored.key,
      revision: stored.revision,
      value: encodeStored(object),
    });
    if (sameBytes(view.bytes, stored.bytes)) view = stored;
    views.set(kind, view);
  }
  return view;
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
