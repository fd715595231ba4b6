import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject, Strategy } from "#api/kind.ts";
import { conflict, invalid, notFound } from "#api/status.ts";
import { validateObjectMetaUpdate } from "#api/validation/object-meta.ts";
import { admit, assertAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import { writeAdmitted } from "#apiserver/admission/after-write.ts";
import type { Written } from "#apiserver/answer.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Call } from "#apiserver/call.ts";
import { shownAs } from "#apiserver/custom/conversion/converted-views.ts";
import { hookOf } from "#apiserver/hooks/resource-hooks.ts";
import { noteManager } from "#apiserver/managers.ts";
import {
  cloneJson,
  ensureObject,
  numberAt,
  objectAt,
  sameJson,
  setOrRemove,
  stringAt,
  stringsAt,
} from "#apiserver/objects/json.ts";
import { objectKey } from "#apiserver/objects/keys.ts";
import {
  carryOver,
  countGeneration,
  hasStatus,
  settleName,
  settleNamespace,
} from "#apiserver/objects/metadata.ts";
import { persist, unpersist, type Place } from "#apiserver/objects/persist.ts";
import { readStored } from "#apiserver/objects/read.ts";
import { stamp } from "#apiserver/objects/view.ts";

/** How an object is changed: `change` gets what is there now and answers the whole new object. */
export interface UpdatePlan {
  /** Called again when somebody else wrote in between. The answer belongs to the caller of `change` no longer. */
  readonly change: (current: StoredObject) => JsonObject | Promise<JsonObject>;
  /** "status" changes status and nothing that is wanted; "raw" takes the object as it is. Default "main". */
  readonly part?: "main" | "status" | "raw";
  /** Whether a "raw" update is one of what is wanted, of which a changed one is a new generation. */
  readonly countsGeneration?: boolean;
  /** Checks beyond metadata for a "raw" update. */
  readonly validate?: (object: JsonObject, old: JsonObject) => readonly StatusCause[];
  /** Where `change` has noted the managers itself: server-side apply. */
  readonly managersNoted?: boolean;
  /** Where the caller lets the request be admitted in a form of its own: an eviction, a scale. */
  readonly admitted?: boolean;
}

export async function updateObject(call: Call, plan: UpdatePlan): Promise<Written> {
  const key = objectKey(call.kind, call.info.namespace, call.info.name);
  const { server, kind } = call;
  // A webhook that writes the very object it is asked about must not wait for its own answer.
  const waitsForOthers = server.admission.asksOthers() || kind.stored.webhook !== undefined;
  if (waitsForOthers) return updateInTurn(call, plan);
  return server.writers.run(key, () => updateInTurn(call, plan));
}

async function updateInTurn(call: Call, plan: UpdatePlan): Promise<Written> {
  let current = await readStored(call);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (current === undefined) throw notFound(call.kind, call.info.name);
    const outcome = await attemptUpdate(call, plan, current);
    if (outcome.ok) return outcome.written;
    current = outcome.current;
  }
  throw conflict(call.kind, call.info.name, modifiedText);
}

/** Writers in between make another attempt necessary; so many in a row mean that something is wrong. */
const attemptsMax = 64;

export const modifiedText =
  "the object has been modified; please apply your changes to the latest version and try again";

type Outcome =
  | { readonly ok: true; readonly written: Written }
  | { readonly ok: false; readonly current: StoredObject | undefined };

async function attemptUpdate(
  call: Call,
  plan: UpdatePlan,
  current: StoredObject,
): Promise<Outcome> {
  const view = await shownAs(call.server, call.kind, current);
  const old = view.object;
  const object = limitTo(call, plan, await plan.change(view), old);
  stamp(object, call.kind);
  settleNamespace(call, object);
  settleName(call, object);
  assertUnchangedSince(call, object, old);
  carryOver(object, old);
  if (!plan.managersNoted) noteManager(call, object, old);
  const admission: Attempt = { operation: "UPDATE", object, old };
  if (!plan.admitted) await admit(call, admission);
  if ((plan.part ?? "main") === "main") prepare(call, object, old);
  if (plan.countsGeneration) countGeneration(call.kind, object, old);
  assertValid(call, plan, object, old);
  if (!plan.admitted) await assertAdmitted(call, admission);
  const unchanged = isUnchanged(object, old);
  return writeAdmitted(
    admission,
    async (): Promise<Outcome> =>
      unchanged
        ? { ok: true, written: { kind: "stored", object: view } }
        : store(call, { object, old, current }),
    (outcome) => outcome.ok && !unchanged,
  );
}

/** Keeps of the new object what this path may change. */
function limitTo(call: Call, plan: UpdatePlan, object: JsonObject, old: JsonObject): JsonObject {
  if (plan.part === "raw") return object;
  if (plan.part === "status") return statusOnly(object, old);
  if (hasStatus(call.kind)) setOrRemove(object, "status", cloneJson(old.status));
  return object;
}

function statusOnly(object: JsonObject, old: JsonObject): JsonObject {
  const limited = cloneJson(old);
  setOrRemove(limited, "status", object.status);
  const metadata = ensureObject(object, "metadata");
  setOrRemove(metadata, "ownerReferences", cloneJson(objectAt(old, "metadata").ownerReferences));
  limited.metadata = metadata;
  return limited;
}

function assertUnchangedSince(call: Call, object: JsonObject, old: JsonObject): void {
  const metadata = objectAt(object, "metadata");
  const before = objectAt(old, "metadata");
  const version = stringAt(metadata, "resourceVersion");
  if (version !== "" && version !== stringAt(before, "resourceVersion")) {
    throw conflict(call.kind, call.info.name, modifiedText);
  }
}

function prepare(call: Call, object: JsonObject, old: JsonObject): void {
  const { strategy } = call.kind;
  strategy.prepareForUpdate?.(object, old);
  countGeneration(call.kind, object, old);
  for (const text of strategy.warnings?.(object, old) ?? []) call.warnings.add(text);
}

function assertValid(call: Call, plan: UpdatePlan, object: JsonObject, old: JsonObject): void {
  const { strategy } = call.kind;
  const causes = [
    ...validateObjectMetaUpdate(object, old),
    ...(validatorOf(plan, strategy)?.(object, old) ?? []),
  ];
  if (causes.length > 0) throw invalid(call.kind, call.info.name, causes);
}

function validatorOf(plan: UpdatePlan, strategy: Strategy) {
  if (plan.part === "raw") return plan.validate;
  return plan.part === "status" ? strategy.validateStatusUpdate : strategy.validateUpdate;
}

/** The times in `managedFields` do not count: they change with every request. */
function isUnchanged(object: JsonObject, old: JsonObject): boolean {
  return sameJson(withoutTimes(object), withoutTimes(old));
}

function withoutTimes(object: JsonObject): JsonObject {
  const metadata = objectAt(object, "metadata");
  const managers = metadata.managedFields;
  if (!Array.isArray(managers)) return object;
  const timeless = managers.map((entry) => ({ ...(entry as JsonObject), time: null }));
  return { ...object, metadata: { ...metadata, managedFields: timeless } };
}

interface Replacing {
  readonly object: JsonObject;
  readonly old: JsonObject;
  readonly current: StoredObject;
}

async function store(call: Call, { object, old, current }: Replacing): Promise<Outcome> {
  const { server, kind } = call;
  const write = { server, object, old, dryRun: call.dryRun };
  const undo = await hookOf(server, kind).beforeWrite?.(write);
  if (call.dryRun) {
    undo?.();
    return { ok: true, written: { kind: "value", value: object } };
  }
  const key = objectKey(kind, call.info.namespace, call.info.name);
  const place: Place = { kind, key, expected: current.revision, given: true };
  const removing = mayGo(call, object);
  try {
    const persisted = removing
      ? await unpersist(server, place, current)
      : await persist(server, place, object);
    if (persisted.ok) {
      if (removing) hookOf(server, kind).afterRemove?.(server, old);
      return {
        ok: true,
        written: { kind: "stored", object: await shownAs(server, kind, persisted.object) },
      };
    }
    undo?.();
    return { ok: false, current: persisted.current };
  } catch (error) {
    undo?.();
    throw error;
  }
}

/** An object that is being deleted goes with its last finalizer. */
function mayGo(call: Call, object: JsonObject): boolean {
  const metadata = objectAt(object, "metadata");
  return (
    stringAt(metadata, "deletionTimestamp") !== "" &&
    (numberAt(metadata, "deletionGracePeriodSeconds") ?? 0) === 0 &&
    stringsAt(metadata, "finalizers").length === 0 &&
    (hookOf(call.server, call.kind).mayRemove?.(object) ?? true)
  );
}
