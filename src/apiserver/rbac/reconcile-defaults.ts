import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { deleteObject } from "#apiserver/objects/delete.ts";
import {
  cloneJson,
  listAt,
  objectAt,
  objectsAt,
  sameJson,
  setOrRemove,
  stringAt,
} from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { missingRules } from "#api/rbac/covers.ts";
import { autoUpdate, defaultAccess, ownAccess } from "#apiserver/rbac/defaults/default-objects.ts";
import { rulesOf, type PolicyRule } from "#api/rbac/policy-rule.ts";
import { storeDefault } from "#apiserver/rbac/store-default.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Makes default roles and bindings that are missing and gives the others back what they lack: permissions, subjects,
 * labels. What was added to them stays. Those with `autoupdate: "false"` are left alone. All are written side by
 * side, so that the store commits them together.
 */
export async function reconcileDefaultAccess(state: ServerState): Promise<void> {
  const wanted = [...defaultAccess(), ...ownAccess()];
  await Promise.all(wanted.map((one) => reconcile(state, one)));
}

async function reconcile(state: ServerState, wanted: FirstObject): Promise<void> {
  const metadata = objectAt(wanted.object, "metadata");
  const namespace = stringAt(metadata, "namespace");
  const name = stringAt(metadata, "name");
  const present = lookUp(state, wanted, namespace === "" ? { name } : { namespace, name });
  if (present === undefined) return storeDefault(state, wanted);
  if (objectAt(objectAt(present, "metadata"), "annotations")[autoUpdate] === "false") return;
  if (roleRefDiffers(present, wanted.object)) return replace(state, wanted);
  if (completed(present, wanted.object) === present) return;
  await updateObject(internalCall(state, wanted, "PUT"), {
    change: ({ object }) => cloneJson(completed(object, wanted.object)),
  });
}

function roleRefDiffers(present: JsonObject, wanted: JsonObject): boolean {
  return !sameJson(present.roleRef, wanted.roleRef);
}

/** A binding cannot be pointed at another role. */
async function replace(state: ServerState, wanted: FirstObject): Promise<void> {
  await deleteObject(internalCall(state, wanted, "DELETE"), {});
  await storeDefault(state, wanted);
}

/** The present object itself when it lacks nothing. */
export function completed(present: JsonObject, wanted: JsonObject): JsonObject {
  const whole = { ...present };
  const metadata = withMetadata(objectAt(present, "metadata"), objectAt(wanted, "metadata"));
  whole.metadata = metadata;
  if (wanted.aggregationRule !== undefined) whole.aggregationRule = aggregation(present, wanted);
  // The rules of an aggregated role are kept by the aggregation.
  else if (wanted.rules !== undefined) setOrRemove(whole, "rules", rules(present, wanted));
  if (wanted.subjects !== undefined) whole.subjects = united(present, wanted, "subjects");
  return sameJson(whole, present) ? present : whole;
}

function withMetadata(present: JsonObject, wanted: JsonObject): JsonObject {
  return {
    ...present,
    labels: { ...objectAt(present, "labels"), ...objectAt(wanted, "labels") },
    annotations: { ...objectAt(wanted, "annotations"), ...objectAt(present, "annotations") },
  };
}

function aggregation(present: JsonObject, wanted: JsonObject): JsonObject {
  const field = "clusterRoleSelectors";
  const own = objectAt(present, "aggregationRule");
  return { ...own, [field]: united(own, objectAt(wanted, "aggregationRule"), field) };
}

function united(present: JsonObject, wanted: JsonObject, field: string): Json[] {
  const own = objectsAt(present, field);
  const missing = objectsAt(wanted, field).filter(
    (one) => !own.some((other) => sameJson(withoutEmpty(one), withoutEmpty(other))),
  );
  return [...own, ...missing];
}

/** An empty text means the same as none: service accounts are in no API group. */
function withoutEmpty(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== ""));
}

function rules(present: JsonObject, wanted: JsonObject): Json[] | undefined {
  const own = listAt(present, "rules");
  if (sameJson(own, wanted.rules)) return present.rules as Json[] | undefined;
  const missing = missingRules(rulesOf(present), rulesOf(wanted));
  if (missing.length === 0) return present.rules as Json[] | undefined;
  return [...own, ...missing.map(ruleJson)];
}

function ruleJson(rule: PolicyRule): Json {
  const given = Object.entries(rule).filter(
    ([, values]: [string, readonly string[]]) => values.length > 0,
  );
  return Object.fromEntries(
    given.map(([name, values]: [string, readonly string[]]) => [name, [...values]]),
  );
}
