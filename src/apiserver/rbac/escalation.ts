import type { JsonObject } from "#api/kind.ts";
import { forbidden, notFound } from "#api/status.ts";
import { isFor, type AdmissionFunction, type Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, objectsAt, sameJson, stringAt, without } from "#apiserver/objects/json.ts";
import { missingRules } from "#api/rbac/covers.ts";
import { rulesOf, type PolicyRule } from "#api/rbac/policy-rule.ts";
import { heldRules } from "#apiserver/rbac/rbac-authorizer.ts";
import { rbacGroup, type RbacIndex } from "#apiserver/rbac/rbac-index.ts";
import { quotedList, ruleText } from "#api/rbac/rule-text.ts";

/**
 * Nobody grants what they do not have: who writes a role needs every permission in it, or the verb `escalate` on
 * roles; who writes a binding needs every permission of its role, or the verb `bind` on that role.
 */
export function escalationPrevention(index: RbacIndex): AdmissionFunction {
  return async (call, attempt) => {
    if (call.kind.group !== rbacGroup || attempt.object === undefined) return;
    if (call.user.groups.includes("system:masters") || changesNoGrant(attempt)) return;
    const { resource } = call.kind;
    if (isFor(call, rbacGroup, "roles") || isFor(call, rbacGroup, "clusterroles")) {
      await checkRole({ call, index }, attempt);
    } else if (resource === "rolebindings" || resource === "clusterrolebindings") {
      await checkBinding({ call, index }, attempt.object);
    }
  };
}

interface Checking {
  readonly call: Call;
  readonly index: RbacIndex;
}

/** Owners and finalizers may change, so that what is granted already can be cleaned up. */
function changesNoGrant({ object, old }: Attempt): boolean {
  if (object === undefined || old === undefined) return false;
  return sameJson(withoutBookkeeping(object), withoutBookkeeping(old));
}

function withoutBookkeeping(object: JsonObject): JsonObject {
  return { ...object, metadata: without(objectAt(object, "metadata"), bookkeeping) };
}

const bookkeeping = ["ownerReferences", "finalizers", "managedFields", "resourceVersion"];

async function checkRole(checking: Checking, { object, old }: Attempt): Promise<void> {
  const { call } = checking;
  if (object === undefined || (await may(call, "escalate", call.kind.resource, call.info.name)))
    return;
  assertHolds(checking, object, rulesOf(object));
  if (!aggregates(object) && !(old && aggregates(old))) return;
  if (missing(checking, everything).length > 0) {
    throw refusal(call, object, "must have cluster-admin privileges to use the aggregationRule");
  }
}

function aggregates(role: JsonObject): boolean {
  return objectsAt(objectAt(role, "aggregationRule"), "clusterRoleSelectors").length > 0;
}

const none = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
const everything: readonly PolicyRule[] = [
  { ...none, verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { ...none, verbs: ["*"], nonResourceURLs: ["*"] },
];

async function checkBinding(checking: Checking, object: JsonObject): Promise<void> {
  const { call, index } = checking;
  const ref = objectAt(object, "roleRef");
  const role = { kind: stringAt(ref, "kind"), name: stringAt(ref, "name") };
  // Any other kind is refused when the binding is validated.
  if (role.kind !== "Role" && role.kind !== "ClusterRole") return;
  if (await may(call, "bind", `${role.kind.toLowerCase()}s`, role.name)) return;
  const rules = index.rulesOfRole(role, call.info.namespace);
  if (rules === undefined) {
    throw notFound({ group: rbacGroup, resource: role.kind.toLowerCase() }, role.name);
  }
  assertHolds(checking, object, rules);
}

async function may(call: Call, verb: string, resource: string, name: string): Promise<boolean> {
  const { namespace } = call.info;
  const { allowed } = await call.server.authorizer.authorize({
    user: call.user,
    verb,
    isResource: true,
    group: rbacGroup,
    version: "*",
    resource,
    subresource: "",
    namespace,
    name,
    path: "",
  });
  return allowed;
}

function assertHolds(checking: Checking, object: JsonObject, wanted: readonly PolicyRule[]): void {
  const lacking = missing(checking, wanted);
  if (lacking.length === 0) return;
  const { user, info } = checking.call;
  const texts = [...new Set(lacking.map(ruleText))].toSorted();
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  const { problem } = heldRules(checking.index, user, info.namespace);
  const unresolved = problem === "" ? "" : `; resolution errors: [${problem}]`;
  throw refusal(
    checking.call,
    object,
    `${who} is attempting to grant RBAC permissions not currently held:\n${texts.join("\n")}${unresolved}`,
  );
}

function missing({ call, index }: Checking, wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return missingRules(heldRules(index, call.user, call.info.namespace).rules, wanted);
}

function refusal(call: Call, object: JsonObject, why: string): Error {
  return forbidden(call.kind, stringAt(objectAt(object, "metadata"), "name"), why);
}
