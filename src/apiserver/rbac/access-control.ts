import type { Clock } from "#base/clock.ts";
import type { AdmissionFunction } from "#apiserver/admission/admission.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";
import { escalationPrevention } from "#apiserver/rbac/escalation.ts";
import { createNodeAuthorizer } from "#apiserver/rbac/nodes/node-authorizer.ts";
import { nodeRestriction } from "#apiserver/rbac/nodes/node-restriction.ts";
import { createRbacAuthorizer } from "#apiserver/rbac/rbac-authorizer.ts";
import { RbacIndex } from "#apiserver/rbac/rbac-index.ts";
import { createUnionAuthorizer } from "#apiserver/rbac/union-authorizer.ts";

export interface AccessControl {
  /** `system:masters` first; then, unless told otherwise, nodes and roles: upstream's `--authorization-mode=Node,RBAC`. */
  readonly authorizer: Authorizer;
  /** What bindings give to whom. */
  readonly grants: Pick<RbacIndex, "grantsOf">;
  /** Keeps nodes to what is theirs. */
  readonly nodeAdmission: AdmissionFunction;
  /** Nobody grants what they do not have; comes after all that may still change the object. */
  readonly grantAdmission: AdmissionFunction;
}

/** The authorizers that a server has of its own, for whoever puts others among them. */
export interface OwnAuthorizers {
  readonly node: Authorizer;
  readonly rbac: Authorizer;
}

/** Who is asked, in order, after `system:masters`. */
export type AuthorizerOrder = (own: OwnAuthorizers) => readonly Authorizer[];

const usualOrder: AuthorizerOrder = ({ node, rbac }) => [node, rbac];

/** Access control over the server's own cache: what is written there counts from the write on. */
export function createAccessControl(
  cache: StoreCache,
  clock: Pick<Clock, "now">,
  order: AuthorizerOrder = usualOrder,
): AccessControl {
  const index = new RbacIndex(cache, clock);
  const own = { node: createNodeAuthorizer(cache), rbac: createRbacAuthorizer(index) };
  return {
    authorizer: createUnionAuthorizer([masters, ...order(own)]),
    grants: index,
    nodeAdmission: nodeRestriction,
    grantAdmission: escalationPrevention(index),
  };
}

/** May do everything, whatever the roles say, so that nobody can lock the last administrator out. */
const masters: Authorizer = {
  authorize: ({ user }) => ({ allowed: user.groups.includes("system:masters"), reason: "" }),
};
