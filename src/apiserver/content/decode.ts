import type { Json } from "#api/meta.ts";
import { checkFields } from "#api/decode/check-fields.ts";
import { decodeBody, type DecodedBody } from "#api/decode/decode-body.ts";
import { reportFindings, type FieldValidation } from "#api/decode/field-findings.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";
import type { JsonObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import type { Schema } from "#api/schema.ts";
import { badRequest, invalid } from "#api/status.ts";
import { noteObject } from "#apiserver/body-notes.ts";
import type { Call } from "#apiserver/call.ts";
import { cloneJson, isObject, stringAt } from "#apiserver/objects/json.ts";
import { mediaTypes } from "#apiserver/content/accept.ts";
import { contentTypeOf, readBytes, unsupportedMediaType } from "#apiserver/content/body.ts";
import { decodeProtobufBody } from "#apiserver/content/protobuf.ts";

/** The kind that a request body is expected to be. */
export interface Expected {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
}

/** Reads the request body as an object of the expected kind, which the caller owns. */
export async function readObjectBody(call: Call, expected: Expected): Promise<JsonObject> {
  const body = await readBody(call, expected);
  if (!isObject(body.value)) throw notAnObject();
  noteObject(call.request, body.value);
  assertKind(body.value, expected);
  return checkedObject(call, expected, body);
}

/** An object as its kind's schema has it: values of wrong types refused, unknown fields dropped and reported. */
export function checkedObject(call: Call, expected: Expected, body: DecodedBody): JsonObject {
  const mode = fieldValidationOf(call);
  if (isCustom(expected.schema)) return prunedObject(call, expected, body);
  const { object, warnings } = checkFields(body.value, expected.schema, {
    mode,
    body,
    subject: expected,
  });
  for (const text of warnings) call.warnings.add(text);
  return object;
}

/**
 * The outcome of a patch as its kind's schema has it. What strict validation finds is a 422 that speaks of the
 * patch, as upstream's is, not of a body.
 */
export function checkedPatchResult(call: Call, value: Json): JsonObject {
  const body = { value, findings: [] };
  if (isObject(value)) assertOfKind(value, call.kind);
  if (fieldValidationOf(call) !== "Strict" || isCustom(call.kind.schema)) {
    return checkedObject(call, call.kind, body);
  }
  const subject = call.kind;
  const { object, warnings } = checkFields(value, call.kind.schema, { mode: "Warn", subject });
  if (warnings.length === 0) return object;
  const message = `Invalid value: "": strict decoding error: ${warnings.join(", ")}`;
  throw invalid({ group: "", kind: "" }, "", [
    { reason: "FieldValueInvalid", message, field: "patch" },
  ]);
}

/** An options object (`DeleteOptions`) from the body; undefined when there is none. */
export async function readOptionsBody(call: Call): Promise<JsonObject | undefined> {
  const { body } = call.request;
  if (body.kind === "none") return undefined;
  if (body.kind === "object") return isObject(body.value) ? cloneJson(body.value) : undefined;
  const bytes = await readBytes(call.request);
  if (bytes.length === 0) return undefined;
  const { value } = decoded(call, bytes, optionsKind.kind);
  if (!isObject(value)) throw notAnObject();
  assertOfKind(value, optionsKind);
  const schema = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
  return checkFields(value, schema, { mode: "Ignore", subject: optionsKind }).object;
}

const optionsKind = { kind: "DeleteOptions", version: "v1" };

/** Only built-in types have names. */
function isCustom(schema: Schema): boolean {
  return schema.name === undefined;
}

function prunedObject(call: Call, expected: Expected, body: DecodedBody): JsonObject {
  if (!isObject(body.value)) throw notAnObject();
  const unknownOfMetadata = unknownMetadata(body.value);
  const typed = checkFields(body.value, withMetadata(), { mode: "Ignore", subject: expected });
  const { object, unknown } = pruneUnknown(typed.object, expected.schema);
  const warnings = reportFindings([...unknownOfMetadata, ...unknown], fieldValidationOf(call), {
    body,
    subject: expected,
  });
  for (const text of warnings) call.warnings.add(text);
  return object;
}

/** The metadata of custom objects is what that of all objects is; the rest is their definition's. */
function withMetadata(): Schema {
  const properties = { metadata: objectMeta() };
  return { type: "object", name: "ObjectMeta", properties, preserveUnknownFields: true };
}

function unknownMetadata(object: JsonObject): readonly string[] {
  const { metadata } = object;
  const known = objectMeta().properties ?? {};
  const fields = isObject(metadata) ? Object.keys(metadata) : [];
  return fields.filter((field) => !Object.hasOwn(known, field)).map((field) => `metadata.${field}`);
}

function objectMeta(): Schema {
  return schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
}

export function fieldValidationOf(call: Call): FieldValidation {
  const asked = call.request.query.get("fieldValidation") ?? "";
  if (asked === "Ignore" || asked === "Warn" || asked === "Strict") return asked;
  return call.request.answer === "objects" ? "Ignore" : "Warn";
}

async function readBody(call: Call, expected: Expected): Promise<DecodedBody> {
  const { body } = call.request;
  if (body.kind === "object") return { value: cloneJson(body.value) as Json, findings: [] };
  return decoded(call, await readBytes(call.request), expected.kind);
}

function decoded(call: Call, bytes: Uint8Array, kind: string): DecodedBody {
  const findDuplicates = fieldValidationOf(call) !== "Ignore";
  switch (contentTypeOf(call.request)) {
    case "":
    case "application/json":
      return decodeBody(bytes, "application/json", { findDuplicates, kind });
    case "application/yaml":
      return decodeBody(bytes, "application/yaml", { findDuplicates, kind });
    case "application/vnd.kubernetes.protobuf":
      return { value: decodeProtobufBody(bytes, kind), findings: [] };
    default:
      throw unsupportedMediaType(mediaTypes);
  }
}

function assertKind(object: JsonObject, expected: Expected): void {
  const version = apiVersionOf(expected);
  const given = stringAt(object, "apiVersion");
  if (given !== "" && given !== version) {
    throw badRequest(
      `the API version in the data (${given}) does not match the expected API version (${version})`,
    );
  }
  assertOfKind(object, expected);
}

function assertOfKind(
  object: JsonObject,
  { kind, version }: { readonly kind: string; readonly version: string },
): void {
  const given = stringAt(object, "kind");
  if (given === "" || given === kind) return;
  throw badRequest(`${given} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`);
}

function notAnObject() {
  return badRequest("the object provided is unrecognized (must be of type Object)");
}
