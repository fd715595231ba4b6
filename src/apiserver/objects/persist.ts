import type { JsonObject, Kind } from "#api/kind.ts";
import type { Entry } from "#storage/store.ts";
import { apiVersionOf } from "#api/resource.ts";
import { handOver } from "#apiserver/cache/handed-over.ts";
import { fromStoredBytes, type StoredObject } from "#apiserver/cache/stored-object.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import { bytesToStore } from "#apiserver/custom/conversion/converted-views.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** The outcome of a compare-and-swap: what is stored now. */
export type Persisted =
  | { readonly ok: true; readonly object: StoredObject }
  | { readonly ok: false; readonly current: StoredObject | undefined };

export interface Place {
  readonly kind: Kind;
  readonly key: string;
  /** The revision that must be there; 0: nothing may be there. */
  readonly expected: number;
  /** The caller gives the object away: it is frozen once it is stored. */
  readonly given?: boolean;
}

export async function persist(
  server: ServerState,
  place: Place,
  object: JsonObject,
): Promise<Persisted> {
  const bytes = bytesToStore(server, place.kind, object);
  const value = bytes instanceof Uint8Array ? bytes : await bytes;
  if (place.given && isStoredAs(place.kind, object)) handOver(value, object);
  const result = await server.store.put(place.key, value, place.expected);
  if (!result.ok) return { ok: false, current: storedOf(result.current) };
  const cached = server.cache.resource(resourcePrefix(place.kind.stored)).get(place.key);
  if (cached?.revision === result.revision) return { ok: true, object: cached };
  const entry = { key: place.key, value, revision: result.revision };
  return { ok: true, object: fromStoredBytes(entry) };
}

/** Removes; answers the last content at the revision of the deletion. */
export async function unpersist(
  server: ServerState,
  place: Place,
  last: StoredObject,
): Promise<Persisted> {
  const result = await server.store.delete(place.key, place.expected);
  if (result.ok) return { ok: true, object: last.at(result.revision) };
  return { ok: false, current: storedOf(result.current) };
}

/** Whether it is the object itself whose bytes are stored, and not a converted form. */
function isStoredAs({ stored }: Kind, object: JsonObject): boolean {
  if (stored.convert !== undefined || stored.webhook !== undefined) return false;
  return object.kind === stored.kind && object.apiVersion === apiVersionOf(stored);
}

function storedOf(entry: Entry | undefined): StoredObject | undefined {
  return entry && fromStoredBytes(entry);
}
