import type { JsonObject } from "#api/kind.ts";
import { StatusError } from "#api/status.ts";
import type { Extension } from "#apiserver/aggregation/extension-index.ts";
import { fetchObjects } from "#apiserver/aggregation/fetch-objects.ts";
import { remoteUserHeaders } from "#apiserver/aggregation/remote-user.ts";
import { textResponse } from "#apiserver/content/bytes.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { addressOf, type Address } from "#apiserver/service-address.ts";

interface Passing {
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly extension: Extension;
}

/** Has a request answered by the extension server that it is for, in the name of its user. */
export async function passOn(state: ServerState, passing: Passing): Promise<ApiResponse> {
  const { request, user, extension } = passing;
  const address = extension.available ? reachable(state, extension) : undefined;
  if (address === undefined) return unavailable(request);
  const query = request.query.size === 0 ? "" : `?${request.query.toString()}`;
  const { trust } = extension;
  const target = { address, trust, path: request.path + query, headers: remoteUserHeaders(user) };
  if (request.answer === "objects") return fetchObjects(state, request, target);
  return { kind: "connect", headers: [], target: { kind: "extension", ...target } };
}

function reachable(state: ServerState, extension: Extension): Address | undefined {
  try {
    return addressOf(state, extension.service);
  } catch (error) {
    state.log.warn("extension server has no endpoint", { name: extension.name, error });
    return undefined;
  }
}

/** As upstream's aggregator says it: in plain text. */
function unavailable(request: ApiRequest): ApiResponse {
  if (request.answer === "bytes") return textResponse(503, "service unavailable\n");
  const { status } = new StatusError({
    code: 503,
    reason: "ServiceUnavailable",
    message: "the server is currently unable to handle the request",
  });
  return { kind: "object", status: 503, headers: [], value: status as unknown as JsonObject };
}
