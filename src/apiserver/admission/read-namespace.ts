import type { JsonObject } from "#api/kind.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** All objects of a resource in one namespace, or all of a resource without namespaces; frozen. */
export function objectsIn(
  server: ServerState,
  resource: { readonly group: string; readonly resource: string },
  namespace?: string,
): readonly JsonObject[] {
  const prefix = resourcePrefix(resource);
  const scope = namespace === undefined ? prefix : `${prefix}${namespace}/`;
  return server.cache
    .resource(prefix)
    .list(scope)
    .map((stored) => stored.object);
}
