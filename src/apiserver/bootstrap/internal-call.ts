import type { JsonObject } from "#api/kind.ts";
import { isAlreadyExists } from "#api/status.ts";
import { callOf, type Call } from "#apiserver/call.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createObject } from "#apiserver/objects/create.ts";
import { cloneJson, objectAt, stringAt } from "#apiserver/objects/json.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
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

/** A call as if the server had sent a request to itself. */
export function internalCall(
  state: ServerState,
  first: FirstObject,
  method: "POST" | "PUT" | "DELETE",
): Call {
  const kind = kindOf(state, first);
  const metadata = objectAt(first.object, "metadata");
  const namespace = stringAt(metadata, "namespace");
  const root = first.group === "" ? "/api/v1" : `/apis/${first.group}/${first.version}`;
  const scope = namespace === "" ? "" : `/namespaces/${namespace}`;
  const name = method === "POST" ? "" : `/${encodeURIComponent(stringAt(metadata, "name"))}`;
  const path = `${root}${scope}/${first.resource}${name}`;
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
