import type { JsonObject } from "#api/kind.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** Decides whether somebody may do something. */
export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision> | Decision;
  /** All that a user may do in a namespace; absent where that cannot be told. */
  rules?(user: UserInfo, namespace: string): Promise<Rules> | Rules;
}

/** In the words of a `SelfSubjectRulesReview`. */
export interface Rules {
  readonly resourceRules: readonly JsonObject[];
  readonly nonResourceRules: readonly JsonObject[];
}

/** What is asked for, in the words of a `SubjectAccessReview`. */
export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** For requests that are not to a resource. */
  readonly path: string;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/**
 * Until access control is built: everybody who is authenticated may do everything; everybody else may ask for
 * health and version. It is not safe for a cluster that several people share.
 */
export const allowAuthenticated: Authorizer = {
  authorize: ({ user, path, isResource }) => {
    if (user.groups.includes("system:masters")) return { allowed: true, reason: "" };
    if (!user.groups.includes("system:unauthenticated")) return { allowed: true, reason: "" };
    return { allowed: !isResource && openPaths.test(path), reason: "" };
  },
  rules: ({ groups }) => {
    if (groups.includes("system:unauthenticated"))
      return { resourceRules: [], nonResourceRules: [] };
    return {
      resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
      nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
    };
  },
};

const openPaths = /^\/(?:healthz|livez|readyz)(?:\/|$)|^\/version\/?$/;
