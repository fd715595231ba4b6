import type { ParamKind, ParamRef } from "#api/generated/types.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { shownAs } from "#apiserver/custom/conversion/converted-views.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** A binding cannot be carried out as it is written. */
export class BindingProblem extends Error {}

/**
 * The objects that parametrize a policy by one binding; `undefined` among them stands for none, with which the
 * policy runs as well. Throws `BindingProblem` with upstream's texts.
 */
export async function collectParams(
  target: Target,
  paramKind: ParamKind | undefined,
  reference: ParamRef | undefined,
): Promise<readonly (JsonObject | undefined)[]> {
  if (paramKind === undefined || reference === undefined) return [undefined];
  const { server } = target.call;
  const kind = kindOf(server, paramKind);
  const namespace = namespaceOf(kind, reference, target);
  const found = findAll(server, kind, { reference, namespace });
  if (found.length > 0) {
    return Promise.all(found.map(async (stored) => (await shownAs(server, kind, stored)).object));
  }
  if (reference.parameterNotFoundAction === "Allow") return [];
  throw new BindingProblem(
    "no params found for policy binding with `Deny` parameterNotFoundAction",
  );
}

function kindOf(server: ServerState, { apiVersion = "", kind = "" }: ParamKind): Kind {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const found = server.kinds.ofKind(group, apiVersion.slice(slash + 1), kind);
  if (found !== undefined) return found;
  throw new BindingProblem(
    `failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`,
  );
}

function namespaceOf(kind: Kind, reference: ParamRef, target: Target): string | undefined {
  const named = reference.namespace ?? "";
  if (!kind.namespaced) {
    if (named === "") return undefined;
    throw new BindingProblem(
      "paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
    );
  }
  const namespace = named || target.namespace;
  if (namespace !== "") return namespace;
  throw new BindingProblem(
    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
  );
}

interface Wanted {
  readonly reference: ParamRef;
  readonly namespace: string | undefined;
}

function findAll(server: ServerState, kind: Kind, wanted: Wanted): readonly StoredObject[] {
  const { reference, namespace } = wanted;
  const prefix = resourcePrefix(kind.stored);
  const resource = server.cache.resource(prefix);
  const within = namespace === undefined ? prefix : `${prefix}${namespace}/`;
  if (reference.name) {
    const one = resource.get(within + reference.name);
    return one === undefined ? [] : [one];
  }
  const selector = labelSelectorMatcher(reference.selector ?? {});
  return resource.list(within).filter((stored) => selector.matches(stored.labels));
}
