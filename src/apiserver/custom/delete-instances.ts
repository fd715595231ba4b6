import { invariant } from "#base/invariant.ts";
import type { Kind } from "#api/kind.ts";
import { rootPath } from "#api/resource.ts";
import { callOf } from "#apiserver/call.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { removeCollection } from "#apiserver/verbs/delete.ts";

/** Deletes all objects of a kind as if the server had asked itself to; those with finalizers stay for now. */
export async function deleteInstances(state: ServerState, kind: Kind): Promise<void> {
  const path = `${rootPath(kind)}/${kind.resource}`;
  const query = new URLSearchParams();
  const info = requestInfo("DELETE", path, query);
  invariant(info !== undefined, "the server's own paths can be read");
  const request: ApiRequest = {
    method: "DELETE",
    path,
    query,
    header: (header) => (header === "user-agent" ? "kube-apiserver" : undefined),
    body: { kind: "none" },
    user,
    signal: state.stopped,
    answer: "objects",
  };
  await removeCollection(callOf(state, { request, info, kind, subresource: undefined, user }));
}

const user = { name: "system:apiserver", groups: ["system:authenticated", "system:masters"] };
