import type { JsonObject } from "#api/kind.ts";
import { rootPath } from "#api/resource.ts";
import { isAlreadyExists } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createObject } from "#apiserver/objects/create.ts";
import { cloneJson, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { ownCall, type OwnRequest } from "#apiserver/own-call.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { invariant } from "#base/invariant.ts";

/** Creates an object of the server itself; one that is there already stays as it is. */
export async function createFirst(state: ServerState, first: FirstObject): Promise<void> {
  try {
    await createObject(internalCall(state, first, "POST"), filled(state, first));
  } catch (error) {
    // Another server of the same store may have been faster.
    if (!isAlreadyExists(error)) throw error;
  }
}

/** A copy with the defaults of its kind. */
export function filled(state: ServerState, first: FirstObject): JsonObject {
  const copy = cloneJson(first.object);
  kindOf(state, first).strategy.fillDefaults?.(copy);
  return copy;
}

function kindOf(state: ServerState, first: FirstObject) {
  const kind = state.kinds.find(first.group, first.version, first.resource);
  invariant(kind !== undefined, `the kind of ${first.resource} is served`);
  return kind;
}

/** The server's own call for the object. */
export function internalCall(
  state: ServerState,
  first: FirstObject,
  method: OwnRequest["method"],
): Call {
  const kind = kindOf(state, first);
  const metadata = objectAt(first.object, "metadata");
  const [name, namespace] = [stringAt(metadata, "name"), stringAt(metadata, "namespace")];
  const scope = namespace === "" ? "" : `/namespaces/${namespace}`;
  const collection = `${rootPath(first)}${scope}/${first.resource}`;
  const path = method === "POST" ? collection : `${collection}/${encodeURIComponent(name)}`;
  return ownCall(state, { method, path, kind });
}
