import { badRequest } from "#api/status.ts";
import { attributesOf } from "#apiserver/authorize.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { impersonated, type WantedUser } from "#apiserver/impersonation-modes.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/**
 * The user a request is to be carried out as: its own, or the one that `Impersonate-*` headers name, when its own
 * may be that one for this request. `impersonate-group` and `impersonate-extra-…` may hold several values, which the
 * edge joins with a comma.
 */
export function impersonate(
  authorizer: Authorizer,
  request: ApiRequest,
  info: RequestInfo,
): Promise<UserInfo> | UserInfo {
  const wanted = wantedUser(request);
  if (wanted === undefined) return request.user;
  const attributes = attributesOf(request.user, info, request.query);
  return impersonated(authorizer, wanted, attributes);
}

function wantedUser(request: ApiRequest): WantedUser | undefined {
  const name = request.header("impersonate-user") ?? "";
  const uid = request.header("impersonate-uid") ?? "";
  const groups = valuesOf(request.header("impersonate-group"));
  const extra = extraOf(request);
  if (name !== "") return { name, uid, groups, extra };
  if (uid !== "" || groups.length > 0 || Object.keys(extra).length > 0) {
    throw badRequest("requested impersonation without impersonating a user");
  }
  return undefined;
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
