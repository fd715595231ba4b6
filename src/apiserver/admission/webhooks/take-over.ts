import { readSentManagers } from "#api/apply/managers.ts";
import { checkFields } from "#api/decode/check-fields.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Schema } from "#api/schema.ts";
import { internalError, StatusError } from "#api/status.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { convertedTo } from "#apiserver/objects/convert.ts";
import {
  cloneJson,
  isObject,
  listAt,
  objectAt,
  sameJson,
  setOrRemove,
} from "#apiserver/objects/json.ts";

interface Patched {
  /** As the webhook saw the object. */
  readonly shown: JsonObject;
  readonly patched: Json;
}

/**
 * In place: the object of the request becomes what a patch made of it, read as if a client had sent it, with its
 * defaults. Answers whether the patch changed anything.
 */
export async function takeOver(
  target: Target,
  form: Form,
  { shown, patched }: Patched,
): Promise<boolean> {
  const { call, attempt } = target;
  const { object } = attempt;
  if (object === undefined) return false;
  const read = readAs(schemaOf(target, form), form, patched);
  const changed = !sameJson(read, shown);
  const { group, version, kind } = form.kind;
  read.kind = kind;
  read.apiVersion = group === "" ? version : `${group}/${version}`;
  keepManagers(read, shown);
  const isParent = target.kind.kind === call.kind.kind;
  if (isParent) form.of.strategy.fillDefaults?.(read);
  replace(
    object,
    form.of === call.kind || !isParent ? read : convertedTo(call.kind, form.of, read),
  );
  return changed;
}

/** Managers that a webhook has made unreadable are as they were. */
function keepManagers(read: JsonObject, shown: JsonObject): void {
  const metadata = objectAt(read, "metadata");
  const managers = listAt(metadata, "managedFields");
  if (managers.length === 0 || readSentManagers(managers) !== undefined) return;
  setOrRemove(metadata, "managedFields", cloneJson(objectAt(shown, "metadata").managedFields));
}

function schemaOf({ subresource }: Target, form: Form): Schema {
  const part = form.of.subresources.find(({ name }) => name === subresource);
  return part?.schema ?? form.of.schema;
}

/** Values of wrong types are refused, unknown fields dropped without a word. */
function readAs(schema: Schema, { kind, of }: Form, value: Json): JsonObject {
  if (!isObject(value)) throw internalError("the patched value is not an object");
  if (of.openApiSchema !== undefined && kind.kind === of.kind) {
    return pruneUnknown(cloneJson(value), schema).object;
  }
  try {
    return checkFields(cloneJson(value), schema, { mode: "Ignore", subject: kind }).object;
  } catch (error) {
    if (error instanceof StatusError) throw internalError(error.message);
    throw error;
  }
}

function replace(object: JsonObject, by: JsonObject): void {
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, by);
}
