import { invariant } from "#base/invariant.ts";
import type { Kind } from "#api/kind.ts";
import { callOf, type Call } from "#apiserver/call.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

export interface OwnRequest {
  readonly method: "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly kind: Kind;
}

/** A call as if the server had sent a request to itself. */
export function ownCall(state: ServerState, { method, path, kind }: OwnRequest): Call {
  const query = new URLSearchParams();
  const info = requestInfo(method, path, query);
  invariant(info !== undefined, "the server's own paths can be read");
  const request: ApiRequest = {
    method,
    path,
    query,
    header: (header) => (header === "user-agent" ? "kube-apiserver" : undefined),
    body: { kind: "none" },
    user,
    signal: state.stopped,
    answer: "objects",
  };
  return callOf(state, { request, info, kind, subresource: undefined, user });
}

const user = { name: "system:apiserver", groups: ["system:authenticated", "system:masters"] };
