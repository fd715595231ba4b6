import { StatusError } from "#api/status.ts";
import type { Attributes, Authorizer, Decision } from "#apiserver/authorizer.ts";
import type { UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

export function attributesOf(
  user: UserInfo,
  info: RequestInfo,
  query: URLSearchParams,
): Attributes {
  const { verb, isResource, group, version, resource, subresource, namespace, name, path } = info;
  const asked = { verb, isResource, group, version, resource, subresource, namespace, name, path };
  const isCollection = collectionVerbs.has(verb);
  const fieldSelector = isCollection ? query.get("fieldSelector") : null;
  const labelSelector = isCollection ? query.get("labelSelector") : null;
  return {
    user,
    ...asked,
    ...(fieldSelector !== null && { fieldSelector }),
    ...(labelSelector !== null && { labelSelector }),
  };
}

const collectionVerbs: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"]);

/** Refuses with 403 what the authorizer does not allow. `told` hears what was decided. Undefined: it may, and that was known at once. */
export function authorize(
  authorizer: Authorizer,
  attributes: Attributes,
  told?: (decision: Decision) => void,
): Promise<void> | undefined {
  const heed = (decision: Decision): undefined => {
    told?.(decision);
    if (!decision.allowed) throw refusalOf(attributes, decision.reason);
  };
  const deciding = authorizer.authorize(attributes);
  return deciding instanceof Promise ? deciding.then(heed) : heed(deciding);
}

export function refusalOf(attributes: Attributes, reason: string): StatusError {
  const { user, verb, isResource, group, name } = attributes;
  const because = reason === "" ? "" : `: ${reason}`;
  if (!isResource) {
    return new StatusError({
      code: 403,
      reason: "Forbidden",
      message: `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(attributes.path)}${because}`,
      details: {},
    });
  }
  const resource = attributes.subresource
    ? `${attributes.resource}/${attributes.subresource}`
    : attributes.resource;
  const scope = attributes.namespace
    ? ` in the namespace ${JSON.stringify(attributes.namespace)}`
    : " at the cluster scope";
  const qualified = group === "" ? attributes.resource : `${attributes.resource}.${group}`;
  const subject = name === "" ? qualified : `${qualified} ${JSON.stringify(name)}`;
  return new StatusError({
    code: 403,
    reason: "Forbidden",
    message: `${subject} is forbidden: User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)}${scope}${because}`,
    details: {
      ...(name !== "" && { name }),
      ...(group !== "" && { group }),
      kind: attributes.resource,
    },
  });
}
