import { apiServerEndpoints } from "#apiserver/bootstrap/api-server-service.ts";
import { clientAuthentication } from "#apiserver/bootstrap/client-authentication.ts";
import { firstObjects, type FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createFirst, filled, internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";
import { reconcileDefaultAccess } from "#apiserver/rbac/reconcile-defaults.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Makes what every cluster has from its first moment. What is there already stays as it is, but for the endpoints
 * and certificates of the API server, which follow what they are now, and the default roles, which get back what they lost.
 */
export async function bootstrap(state: ServerState, parts: ApiServerParts): Promise<void> {
  for (const first of firstObjects(parts)) await ensure(state, first, false);
  await reconcileDefaultAccess(state);
  for (const map of clientAuthentication(parts)) await ensure(state, map, true);
  for (const endpoints of apiServerEndpoints(parts)) await ensure(state, endpoints, true);
}

async function ensure(state: ServerState, first: FirstObject, replace: boolean): Promise<void> {
  const metadata = objectAt(first.object, "metadata");
  const name = stringAt(metadata, "name");
  const namespace = stringAt(metadata, "namespace");
  const at = namespace === "" ? { name } : { namespace, name };
  const present = lookUp(state, first, at);
  if (present !== undefined && !replace) return;
  if (present === undefined) return createFirst(state, first);
  await updateObject(internalCall(state, first, "PUT"), { change: () => filled(state, first) });
}
