import { pastStates } from "#storage/past.ts";
import type { ResourceCache } from "#apiserver/cache/resource-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { ServerState } from "#apiserver/server-state.ts";

export interface Past {
  readonly resource: ResourceCache;
  readonly prefix: string;
  readonly revision: number;
}

/**
 * The objects as they were at a revision: those of the cache with the changes since then undone. Undefined where the
 * cache does not remember all of these, or where the store has given the revision up, so that a client is told so
 * whichever server it asks.
 */
export async function objectsAt(
  server: ServerState,
  { resource, prefix, revision }: Past,
): Promise<readonly StoredObject[] | undefined> {
  if (revision < (await server.store.compactedRevision())) return undefined;
  const changes = resource.changesAfter(revision);
  if (changes === undefined) return undefined;
  const present = resource.list(prefix);
  const undo = changes.flatMap(({ current, previous }) => {
    const key = (current ?? previous)?.key ?? "";
    return key.startsWith(prefix) ? [{ key, before: previous }] : [];
  });
  if (undo.length === 0) return present;
  const keyed = present.map((object) => [object.key, object] as const);
  return Array.from(pastStates(keyed, undo), ([, object]) => object);
}
