import { notFound } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { shownAs } from "#apiserver/custom/conversion/converted-views.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import type { JsonObject } from "#api/kind.ts";
import { objectKey } from "#apiserver/objects/keys.ts";

/** The stored form of the object a call names, as of now. */
export async function readStored(
  call: Call,
  name = call.info.name,
): Promise<StoredObject | undefined> {
  const key = objectKey(call.kind, call.info.namespace, name);
  const catchingUp = call.server.cache.current();
  if (catchingUp !== undefined) await catchingUp;
  return call.server.cache.resource(resourcePrefix(call.kind.stored)).get(key);
}

/** The object a call names in the form of its kind, or 404. */
export async function readObject(call: Call): Promise<StoredObject> {
  const stored = await readStored(call);
  if (stored === undefined) throw notFound(call.kind, call.info.name);
  return shownAs(call.server, call.kind, stored);
}

/** An object of the core machinery itself (a namespace, a service account), frozen. */
export function lookUp(
  server: ServerState,
  resource: { readonly group: string; readonly resource: string },
  at: { readonly namespace?: string; readonly name: string },
): JsonObject | undefined {
  const prefix = resourcePrefix(resource);
  const key =
    at.namespace === undefined ? `${prefix}${at.name}` : `${prefix}${at.namespace}/${at.name}`;
  return server.cache.resource(prefix).get(key)?.object;
}
