import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Schema } from "#api/schema.ts";
import { badRequest } from "#api/status.ts";
import { apiVersionOf } from "#api/resource.ts";
import type { Call } from "../call.ts";
import { cloneJson, isObject } from "../objects/json.ts";
import { contentTypeOf, readBytes, unsupportedMediaType } from "./body.ts";

/** The kind that a request body is expected to be. */
export interface Expected {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
}

/** Reads the request body as an object of the expected kind, which the caller owns. */
export async function readObjectBody(call: Call, expected: Expected): Promise<JsonObject> {
  const value = await readValue(call);
  if (!isObject(value))
    throw badRequest("the object provided is unrecognized (must be of type Object)");
  assertKind(value, expected);
  return value;
}

async function readValue(call: Call): Promise<Json> {
  const { body } = call.request;
  if (body.kind === "object") return cloneJson(body.value) as Json;
  const type = contentTypeOf(call.request);
  if (type !== "" && type !== "application/json") throw unsupportedMediaType(["application/json"]);
  const bytes = await readBytes(call.request);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Json;
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
}

function assertKind(object: JsonObject, expected: Expected): void {
  const version = apiVersionOf(expected);
  if (object.apiVersion === undefined && object.kind === undefined) return;
  if (object.apiVersion !== version) {
    throw badRequest(
      `the API version in the data (${String(object.apiVersion)}) does not match the expected API version (${version})`,
    );
  }
  if (object.kind !== expected.kind) {
    throw badRequest(
      `${String(object.kind)} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}`,
    );
  }
}

/** An options object (`DeleteOptions`) from the body; undefined when there is none. */
export async function readOptionsBody(call: Call): Promise<JsonObject | undefined> {
  const { body } = call.request;
  if (body.kind === "none") return undefined;
  if (body.kind === "object") return isObject(body.value) ? cloneJson(body.value) : undefined;
  const bytes = await readBytes(call.request);
  if (bytes.length === 0) return undefined;
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Json;
  if (!isObject(value))
    throw badRequest("the object provided is unrecognized (must be of type Object)");
  return value;
}
