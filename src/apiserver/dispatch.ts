import type { Kind, Subresource, Verb } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import { callOf, type Call } from "#apiserver/call.ts";
import { encodeAnswer, formOfCall } from "#apiserver/content/encode.ts";
import { computedVerb } from "#apiserver/computed-kind.ts";
import { methodNotAllowed, unknownResource } from "#apiserver/refusals.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { proxy } from "#apiserver/subresources/proxy.ts";
import { subresourceVerb } from "#apiserver/subresources/subresources.ts";
import { reviewVerb } from "#apiserver/reviews/reviews.ts";
import { create } from "#apiserver/verbs/create.ts";
import { remove, removeCollection } from "#apiserver/verbs/delete.ts";
import { get } from "#apiserver/verbs/get.ts";
import { list } from "#apiserver/verbs/list.ts";
import { patch } from "#apiserver/verbs/patch.ts";
import { update } from "#apiserver/verbs/update.ts";
import { watch } from "#apiserver/verbs/watch.ts";
import { assertWriteOptions } from "#apiserver/verbs/write-options.ts";

export interface Incoming {
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

/** Carries out a request to a resource. */
export async function dispatch(server: ServerState, incoming: Incoming): Promise<ApiResponse> {
  const { info } = incoming;
  const kind = server.kinds.find(info.group, info.version, info.resource);
  if (kind === undefined) throw unknownResource();
  const subresource = subresourceOf(kind, info);
  assertScope(kind, info);
  const computed = server.computed.get(kind);
  const verb = computed
    ? computedVerb(computed, info.verb as Verb)
    : verbFor(kind, subresource, incoming);
  assertWriteOptions(info.verb, incoming.request.query);
  const call = callOf(server, { ...incoming, kind, subresource });
  const form = formOfCall(call);
  if (kind.deprecationWarning !== undefined) call.warnings.add(kind.deprecationWarning);
  return encodeAnswer(call, await verb(call), form);
}

type VerbFunction = (call: Call) => Promise<Answer>;

const verbs: Readonly<Record<Verb, VerbFunction>> = {
  create,
  delete: remove,
  deletecollection: removeCollection,
  get,
  list,
  patch,
  update,
  watch,
};

function subresourceOf(kind: Kind, info: RequestInfo): Subresource | undefined {
  if (info.subresource === "") return undefined;
  const found = kind.subresources.find((subresource) => subresource.name === info.subresource);
  if (found === undefined) throw unknownResource();
  if (info.rest.length > 0 && info.subresource !== "proxy") throw unknownResource();
  return found;
}

/** A namespaced kind is listed across namespaces, but its objects are in one; others are in none. */
function assertScope(kind: Kind, info: RequestInfo): void {
  const inNamespace = info.namespace !== "" && info.resource !== "namespaces";
  if (!kind.namespaced && inNamespace) throw unknownResource();
  const across = info.verb === "list" || info.verb === "watch";
  if (kind.namespaced && !inNamespace && !across) throw methodOrResource(info);
}

function methodOrResource(info: RequestInfo): Error {
  return info.name === "" ? methodNotAllowed() : unknownResource();
}

function verbFor(
  kind: Kind,
  subresource: Subresource | undefined,
  { info, request }: Incoming,
): VerbFunction {
  const verb = info.verb as Verb;
  if (subresource !== undefined) {
    // No verb of the API: authorized without one, as upstream does it.
    if (subresource.name === "proxy" && request.method === "OPTIONS") return proxy;
    if (!subresource.verbs.includes(verb)) throw methodNotAllowed();
    return subresourceVerb(subresource, verb) ?? verbs[verb];
  }
  if (verb === "create" && info.name !== "") throw methodNotAllowed();
  if ((verb === "update" || verb === "patch") && info.name === "") throw methodNotAllowed();
  if (!kind.verbs.includes(verb)) throw methodNotAllowed();
  return reviewVerb(kind) ?? verbs[verb];
}
