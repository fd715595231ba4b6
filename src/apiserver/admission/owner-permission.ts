import type { JsonObject } from "#api/kind.ts";
import { notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, objectsAt, sameJson, stringAt } from "#apiserver/objects/json.ts";

/**
 * Owners decide what is deleted with what: who sets them must be allowed to delete the object, and to hold back the
 * deletion of the owner where a reference does that.
 */
export const ownerPermission: AdmissionPlugin = {
  name: "OwnerReferencesPermissionEnforcement",
  async validate(call, attempt) {
    const { operation, object, old } = attempt;
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
    if (
      call.kind.group === "" &&
      call.kind.resource === "pods" &&
      call.info.subresource === "status"
    )
      return;
    if (sameJson(ownersOf(object), ownersOf(old))) return;
    if (operation === "UPDATE") await assertMayDelete(call, attempt);
    const blocking = newlyBlocking(ownersOf(object), ownersOf(old));
    if (blocking.length === 0) return;
    if ((await call.server.authorizer.authorize(anyFinalizer(call))).allowed) return;
    for (const owner of blocking) await assertMayBlock(call, attempt, owner);
  },
};

function ownersOf(object: JsonObject | undefined): readonly JsonObject[] {
  return objectsAt(objectAt(object, "metadata"), "ownerReferences");
}

function newlyBlocking(
  owners: readonly JsonObject[],
  before: readonly JsonObject[],
): readonly JsonObject[] {
  const already = new Set(
    before.filter((owner) => owner.blockOwnerDeletion === true).map(({ uid }) => uid),
  );
  return owners.filter(
    ({ blockOwnerDeletion, uid }) => blockOwnerDeletion === true && !already.has(uid),
  );
}

async function assertMayDelete(call: Call, attempt: Attempt): Promise<void> {
  const { group, version, resource } = call.kind;
  const { namespace, name, subresource } = call.info;
  const decision = await call.server.authorizer.authorize({
    ...nothing(call),
    verb: "delete",
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
  });
  if (decision.allowed) return;
  throw notAdmitted(
    call,
    attempt,
    `cannot set an ownerRef on a resource you can't delete: ${decision.reason}, <nil>`,
  );
}

async function assertMayBlock(call: Call, attempt: Attempt, owner: JsonObject): Promise<void> {
  const [apiVersion, kindName] = [stringAt(owner, "apiVersion"), stringAt(owner, "kind")];
  const slash = apiVersion.indexOf("/");
  const [group, version] = [apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1)];
  const kind = call.server.kinds.ofKind(group, version, kindName);
  if (kind === undefined) {
    throw notAdmitted(
      call,
      attempt,
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kindName}: no matches for kind ${JSON.stringify(kindName)} in version ${JSON.stringify(apiVersion)}`,
    );
  }
  const decision = await call.server.authorizer.authorize({
    ...nothing(call),
    verb: "update",
    group,
    version,
    resource: kind.resource,
    subresource: "finalizers",
    namespace: kind.namespaced ? call.info.namespace : "",
    name: stringAt(owner, "name"),
  });
  if (decision.allowed) return;
  throw notAdmitted(
    call,
    attempt,
    `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${decision.reason}, <nil>`,
  );
}

function anyFinalizer(call: Call): Attributes {
  const any = { group: "*", version: "*", resource: "*", name: "*" };
  return { ...nothing(call), ...any, verb: "update", subresource: "finalizers" };
}

function nothing({ user }: Call): Attributes {
  return {
    user,
    verb: "",
    isResource: true,
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    path: "",
  };
}
