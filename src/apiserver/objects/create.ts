import type { JsonObject } from "#api/kind.ts";
import { alreadyExists, invalid, StatusError, badRequest } from "#api/status.ts";
import { validateObjectMeta } from "#api/validation/object-meta.ts";
import { admit, assertAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import { writeAdmitted } from "#apiserver/admission/after-write.ts";
import type { Written } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { shownAs } from "#apiserver/custom/conversion/converted-views.ts";
import { hookOf } from "#apiserver/hooks/resource-hooks.ts";
import { noteManager } from "#apiserver/managers.ts";
import { ensureObject, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { objectKey } from "#apiserver/objects/keys.ts";
import {
  assertUnversioned,
  generateName,
  hasStatus,
  identify,
  settleNamespace,
} from "#apiserver/objects/metadata.ts";
import { persist } from "#apiserver/objects/persist.ts";
import { stamp } from "#apiserver/objects/view.ts";
import { readStored } from "#apiserver/objects/read.ts";

/** Takes a decoded, defaulted object that the caller gives away all the way into the store. */
export async function createObject(
  call: Call,
  object: JsonObject,
  options: { readonly managersNoted?: boolean } = {},
): Promise<Written> {
  stamp(object, call.kind);
  settleNamespace(call, object);
  const given = objectAt(object, "metadata");
  if (!stringAt(given, "name") && !stringAt(given, "generateName")) refuseNameless(call, object);
  if (!options.managersNoted) noteManager(call, object, undefined);
  await admit(call, { operation: "CREATE", object, old: undefined });
  // Admission may have made another object of it, but not one of another namespace.
  settleNamespace(call, object);
  const metadata = ensureObject(object, "metadata");
  for (let attempt = 1; ; attempt += 1) {
    const generated = stringAt(metadata, "name") === "";
    if (generated) metadata.name = generateName(call, stringAt(metadata, "generateName"));
    prepare(call, object);
    const written = await insert(call, object);
    if (written !== undefined) return written;
    const name = stringAt(metadata, "name");
    if (!generated || attempt === generateAttempts) throw await existsAlready(call, object, name);
    delete metadata.name;
  }
}

/** As often as upstream tries another random name. */
const generateAttempts = 8;

function prepare(call: Call, object: JsonObject): void {
  const { strategy } = call.kind;
  identify(call, object);
  if (strategy.prepareForCreate) strategy.prepareForCreate(object);
  else if (hasStatus(call.kind)) delete object.status;
  for (const text of strategy.warnings?.(object) ?? []) call.warnings.add(text);
}

/** Undefined when the name is taken. */
async function insert(call: Call, object: JsonObject): Promise<Written | undefined> {
  const name = stringAt(objectAt(object, "metadata"), "name");
  assertValid(call, object, name);
  const attempt: Attempt = { operation: "CREATE", object, old: undefined };
  await assertAdmitted(call, attempt);
  return writeAdmitted(
    attempt,
    () => insertAdmitted(call, object, name),
    (written) => written?.kind === "stored",
  );
}

async function insertAdmitted(
  call: Call,
  object: JsonObject,
  name: string,
): Promise<Written | undefined> {
  assertUnversioned(object);
  const { server, kind } = call;
  const key = objectKey(kind, call.info.namespace, name);
  if ((await readStored(call, name)) !== undefined) return undefined;
  const undo = await hookOf(server, kind).beforeWrite?.({
    server,
    object,
    old: undefined,
    dryRun: call.dryRun,
  });
  if (call.dryRun) {
    undo?.();
    return { kind: "value", value: object };
  }
  try {
    const persisted = await persist(server, { kind, key, expected: 0, given: true }, object);
    if (persisted.ok)
      return { kind: "stored", object: await shownAs(server, kind, persisted.object) };
  } catch (error) {
    undo?.();
    throw error;
  }
  undo?.();
  return undefined;
}

function assertValid(call: Call, object: JsonObject, name: string): void {
  const { kind } = call;
  const rules = {
    namespaced: kind.namespaced,
    nameRule: kind.strategy.nameRule ?? "dns1123Subdomain",
  };
  const causes = [
    ...validateObjectMeta(object, rules),
    ...(kind.strategy.validate?.(object) ?? []),
  ];
  if (causes.length > 0) throw invalid(kind, name, causes);
}

function refuseNameless(call: Call, object: JsonObject): never {
  if (!call.kind.namespaced && objectAt(object, "metadata").namespace) {
    throw badRequest("namespace is not allowed on this type");
  }
  throw invalid(call.kind, "", [
    {
      reason: "FieldValueRequired",
      message: "Required value: name or generateName is required",
      field: "metadata.name",
    },
  ]);
}

async function existsAlready(call: Call, object: JsonObject, name: string): Promise<StatusError> {
  const { status } = alreadyExists(call.kind, name);
  const there = await readStored(call, name);
  const going = stringAt(objectAt(there?.object, "metadata"), "deletionTimestamp") !== "";
  const prefix = going ? "object is being deleted: " : "";
  if (stringAt(objectAt(object, "metadata"), "generateName") === "")
    return new StatusError({ ...status, message: `${prefix}${status.message}` });
  return new StatusError({
    ...status,
    message: `${prefix}${status.message}, the server was not able to generate a unique name for the object`,
    details: { ...status.details, retryAfterSeconds: 1 },
  });
}
