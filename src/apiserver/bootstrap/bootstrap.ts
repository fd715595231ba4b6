import type { JsonObject } from "#api/kind.ts";
import { isAlreadyExists } from "#api/status.ts";
import { callOf } from "#apiserver/call.ts";
import { apiServerEndpoints } from "#apiserver/bootstrap/api-server-service.ts";
import { firstObjects, type FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createObject } from "#apiserver/objects/create.ts";
import { cloneJson, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { invariant } from "#base/invariant.ts";

/**
 * Makes what every cluster has from its first moment. What is there already stays as it is, but for the endpoints
 * of the API server, which follow its address.
 */
export async function bootstrap(state: ServerState, parts: ApiServerParts): Promise<void> {
  for (const first of firstObjects(parts)) await ensure(state, first, false);
  for (const endpoints of apiServerEndpoints(parts)) await ensure(state, endpoints, true);
}

async function ensure(state: ServerState, first: FirstObject, replace: boolean): Promise<void> {
  const { object } = first;
  const metadata = objectAt(object, "metadata");
  const name = stringAt(metadata, "name");
  const namespace = stringAt(metadata, "namespace");
  const at = namespace === "" ? { name } : { namespace, name };
  const present = lookUp(state, first, at);
  if (present !== undefined && !replace) return;
  if (present === undefined) return create(state, first);
  await updateObject(internalCall(state, first, "PUT"), {
    change: () => filled(state, first, object),
  });
}

async function create(state: ServerState, first: FirstObject): Promise<void> {
  try {
    await createObject(internalCall(state, first, "POST"), filled(state, first, first.object));
  } catch (error) {
    // Another server of the same store may have been faster.
    if (!isAlreadyExists(error)) throw error;
  }
}

function filled(state: ServerState, first: FirstObject, object: JsonObject): JsonObject {
  const copy = cloneJson(object);
  kindOf(state, first).strategy.fillDefaults?.(copy);
  return copy;
}

function kindOf(state: ServerState, first: FirstObject) {
  const kind = state.kinds.find(first.group, first.version, first.resource);
  invariant(kind !== undefined, `the kind of ${first.resource} is served`);
  return kind;
}

/** A call as if the server had sent a request to itself. */
function internalCall(state: ServerState, first: FirstObject, method: "POST" | "PUT") {
  const kind = kindOf(state, first);
  const metadata = objectAt(first.object, "metadata");
  const namespace = stringAt(metadata, "namespace");
  const root = first.group === "" ? "/api/v1" : `/apis/${first.group}/${first.version}`;
  const scope = namespace === "" ? "" : `/namespaces/${namespace}`;
  const name = method === "PUT" ? `/${stringAt(metadata, "name")}` : "";
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
