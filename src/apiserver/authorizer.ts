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
  /** Why there may be more than these. */
  readonly incomplete?: string;
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
  /** Of a list, watch or collection delete: as it stands in the query. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** Refused for good: authorizers that follow are not asked. */
  readonly denied?: boolean;
  readonly reason: string;
}
