import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createFirst, filled, internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** Makes an object of the server itself; `replace` says whether one that is there is made like it. */
export async function ensure(
  state: ServerState,
  first: FirstObject,
  replace: boolean,
): Promise<void> {
  const metadata = objectAt(first.object, "metadata");
  const name = stringAt(metadata, "name");
  const namespace = stringAt(metadata, "namespace");
  const at = namespace === "" ? { name } : { namespace, name };
  const present = lookUp(state, first, at);
  if (present !== undefined && !replace) return;
  if (present === undefined) return createFirst(state, first);
  await updateObject(internalCall(state, first, "PUT"), { change: () => filled(state, first) });
}
