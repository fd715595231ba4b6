import type { JsonObject } from "#api/kind.ts";
import { conflict, notFound } from "#api/status.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Call } from "#apiserver/call.ts";
import { shownAs } from "#apiserver/custom/conversion/converted-views.ts";
import { hookOf } from "#apiserver/hooks/resource-hooks.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { objectKey } from "#apiserver/objects/keys.ts";
import { persist, unpersist, type Place } from "#apiserver/objects/persist.ts";
import {
  planDeletion,
  type DeleteOptions,
  type Deletion,
} from "#apiserver/objects/plan-deletion.ts";
import { readStored } from "#apiserver/objects/read.ts";
import { modifiedText } from "#apiserver/objects/update.ts";

export interface Deleted {
  /** False while finalizers or a grace period keep the object. */
  readonly removed: boolean;
  readonly object: JsonObject;
  /** Undefined in a dry run. */
  readonly stored: StoredObject | undefined;
}

/** Deletes the object that the call or `name` names, or begins to. */
export async function deleteObject(
  call: Call,
  options: DeleteOptions,
  { name = call.info.name, admitted = false }: Deletable = {},
): Promise<Deleted> {
  let current = await readStored(call, name);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (current === undefined) throw notFound(call.kind, name);
    const old = (await shownAs(call.server, call.kind, current)).object;
    assertPreconditions(call, old, options);
    if (!admitted) await admitDeletion(call, options, old);
    admitted = true;
    const outcome = await attemptDelete(call, { options, current, old, name });
    if (outcome.ok) return outcome.deleted;
    current = outcome.current;
  }
  throw conflict(call.kind, name, modifiedText);
}

export interface Deletable {
  readonly name?: string;
  /** Where the caller has let the request be admitted: an eviction. */
  readonly admitted?: boolean;
}

function admitDeletion(call: Call, options: DeleteOptions, old: JsonObject): Promise<void> {
  const { preconditions, ...rest } = options;
  const given = preconditions !== undefined && Object.keys(preconditions).length > 0;
  return admitWhole(call, {
    operation: "DELETE",
    object: undefined,
    old,
    options: {
      kind: "DeleteOptions",
      apiVersion: "meta.k8s.io/v1",
      ...withoutFlags(rest),
      ...(given && { preconditions: { ...preconditions } }),
      ...(call.dryRun && { dryRun: ["All"] }),
    },
  });
}

function withoutFlags(options: Omit<DeleteOptions, "preconditions">): JsonObject {
  const { gracePeriodSeconds, propagationPolicy, orphanDependents } = options;
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(orphanDependents !== undefined && { orphanDependents }),
    ...(propagationPolicy !== undefined && { propagationPolicy }),
  };
}

const attemptsMax = 64;

interface Deleting {
  readonly options: DeleteOptions;
  readonly current: StoredObject;
  readonly old: JsonObject;
  readonly name: string;
}

type Outcome =
  | { readonly ok: true; readonly deleted: Deleted }
  | { readonly ok: false; readonly current: StoredObject | undefined };

async function attemptDelete(call: Call, deleting: Deleting): Promise<Outcome> {
  const { server, kind } = call;
  const { old, current } = deleting;
  const hook = hookOf(server, kind);
  const plan = planDeletion(old, deleting.options, { kind, hook, nowMs: server.clock.now() });
  if (plan.kind === "wait") {
    return {
      ok: true,
      deleted: { removed: false, object: old, stored: await shownAs(server, kind, current) },
    };
  }
  if (call.dryRun) return { ok: true, deleted: dryResult(plan, old) };
  const key = objectKey(kind, call.info.namespace, deleting.name);
  const place: Place = { kind, key, expected: current.revision };
  const removing = plan.kind === "remove";
  const persisted = removing
    ? await unpersist(server, place, current)
    : await persist(server, place, plan.object);
  if (!persisted.ok) return { ok: false, current: persisted.current };
  if (removing) hook.afterRemove?.(server, old);
  const stored = await shownAs(server, kind, persisted.object);
  return { ok: true, deleted: { removed: removing, object: stored.object, stored } };
}

function dryResult(plan: Deletion, old: JsonObject): Deleted {
  if (plan.kind === "mark") return { removed: false, object: plan.object, stored: undefined };
  return { removed: true, object: old, stored: undefined };
}

/** Refuses with 409 when the object is not the one, or not the version, that was meant. */
export function assertPreconditions(
  call: Call,
  old: JsonObject,
  { preconditions }: DeleteOptions,
): void {
  const metadata = objectAt(old, "metadata");
  const name = stringAt(metadata, "name");
  const resource = { group: call.kind.group, resource: call.kind.kind };
  const uid = stringAt(metadata, "uid");
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) {
    throw conflict(
      resource,
      name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  const version = stringAt(metadata, "resourceVersion");
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== version) {
    throw conflict(
      resource,
      name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${version}). The object might have been modified`,
    );
  }
}
