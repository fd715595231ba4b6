import type { Kind } from "#api/kind.ts";
import { rootPath } from "#api/resource.ts";
import { ownCall } from "#apiserver/own-call.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { removeCollection } from "#apiserver/verbs/delete.ts";

/** Deletes all objects of a kind as if the server had asked itself to; those with finalizers stay for now. */
export async function deleteInstances(state: ServerState, kind: Kind): Promise<void> {
  const path = `${rootPath(kind)}/${kind.resource}`;
  await removeCollection(ownCall(state, { method: "DELETE", path, kind }));
}
