import { badRequest } from "#api/status.ts";
import { authorize } from "#apiserver/authorize.ts";
import type { Attributes, Authorizer } from "#apiserver/authorizer.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";

/**
 * The user a request is to be carried out as: its own, or the one that `Impersonate-*` headers name, when its own
 * may `impersonate` every part of that one. `impersonate-group` and `impersonate-extra-…` may hold several values,
 * which the edge joins with a comma.
 */
export async function impersonate(authorizer: Authorizer, request: ApiRequest): Promise<UserInfo> {
  const name = request.header("impersonate-user") ?? "";
  const uid = request.header("impersonate-uid") ?? "";
  const groups = valuesOf(request.header("impersonate-group"));
  const extra = extraOf(request);
  if (name === "") {
    if (uid !== "" || groups.length > 0 || Object.keys(extra).length > 0) {
      throw badRequest("requested impersonation without impersonating a user");
    }
    return request.user;
  }
  const asked = { name, uid, groups, extra };
  for (const attributes of attributesFor(request.user, asked))
    await authorize(authorizer, attributes);
  return impersonated(asked);
}

interface Asked {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

function impersonated({ name, uid, groups, extra }: Asked): UserInfo {
  return {
    name,
    ...(uid !== "" && { uid }),
    groups: withImpliedGroups(name, groups),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

function withImpliedGroups(name: string, asked: readonly string[]): readonly string[] {
  const account = serviceAccountOf(name);
  const own =
    account && asked.length === 0
      ? ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`]
      : asked;
  const implied = name === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  return own.includes(implied) ? own : [...own, implied];
}

function* attributesFor(user: UserInfo, asked: Asked): Generator<Attributes> {
  const account = serviceAccountOf(asked.name);
  if (account) {
    yield attributes(user, { group: "", resource: "serviceaccounts", ...account });
  } else yield attributes(user, { group: "", resource: "users", name: asked.name });
  for (const name of asked.groups) yield attributes(user, { group: "", resource: "groups", name });
  const group = "authentication.k8s.io";
  if (asked.uid !== "") yield attributes(user, { group, resource: "uids", name: asked.uid });
  for (const [subresource, values] of Object.entries(asked.extra)) {
    for (const name of values)
      yield attributes(user, { group, resource: "userextras", subresource, name });
  }
}

interface Target {
  readonly group: string;
  readonly resource: string;
  readonly name: string;
  readonly namespace?: string;
  readonly subresource?: string;
}

function attributes(user: UserInfo, target: Target): Attributes {
  return {
    user,
    verb: "impersonate",
    isResource: true,
    version: target.group === "" ? "" : "v1",
    subresource: "",
    namespace: "",
    path: "",
    ...target,
  };
}

export function serviceAccountOf(
  userName: string,
): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(userName);
  return match?.[1] && match[2] ? { namespace: match[1], name: match[2] } : undefined;
}

function valuesOf(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((value) => value.trim())
    .filter(Boolean);
}

const extraPrefix = "impersonate-extra-";

function extraOf(request: ApiRequest): Readonly<Record<string, readonly string[]>> {
  const names = request.headerNames?.() ?? [];
  const keys = names.filter((name) => name.startsWith(extraPrefix));
  return Object.fromEntries(
    keys.map((name) => [decodeKey(name.slice(extraPrefix.length)), valuesOf(request.header(name))]),
  );
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch (error) {
    if (error instanceof URIError) return key;
    throw error;
  }
}
