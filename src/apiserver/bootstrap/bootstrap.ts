import { apiServerEndpoints } from "#apiserver/bootstrap/api-server-service.ts";
import { clientAuthentication } from "#apiserver/bootstrap/client-authentication.ts";
import { ensure } from "#apiserver/bootstrap/ensure.ts";
import { firstObjects } from "#apiserver/bootstrap/first-objects.ts";
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
  const address = parts.serviceNetwork.apiServerAddress;
  if (address === undefined || parts.isShared) return;
  for (const endpoints of apiServerEndpoints([address])) await ensure(state, endpoints, true);
}
