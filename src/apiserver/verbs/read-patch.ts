import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Schema } from "#api/schema.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { applyMergePatch } from "#api/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "#api/patch/strategic-merge-patch.ts";
import { decodeBody } from "#api/decode/decode-body.ts";
import { badRequest } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { contentTypeOf, readBytes, unsupportedMediaType } from "#apiserver/content/body.ts";
import { cloneJson, isObject } from "#apiserver/objects/json.ts";

export const jsonPatchType = "application/json-patch+json";
export const mergePatchType = "application/merge-patch+json";
export const strategicType = "application/strategic-merge-patch+json";

/** Reads a patch of one of the three plain types; what comes back applies it to an object, which stays as it is. */
export async function readPatch(
  call: Call,
  schema: Schema,
): Promise<(document: JsonObject) => JsonObject> {
  const type = contentTypeOf(call.request);
  const accepted = typesFor(schema);
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
  const patch = await readValue(call);
  return (document) => {
    const result = cloneJson(applied(type, { document, patch, schema }));
    if (!isObject(result)) throw badRequest("the patched value is not an object");
    return result;
  };
}

/** Only built-in types, which have names, know how their lists merge. */
export function typesFor(schema: Schema): readonly string[] {
  return schema.name === undefined
    ? [jsonPatchType, mergePatchType]
    : [jsonPatchType, mergePatchType, strategicType];
}

interface Patching {
  readonly document: Json;
  readonly patch: Json;
  readonly schema: Schema;
}

function applied(type: string, { document, patch, schema }: Patching): Json {
  if (type === jsonPatchType) return applyJsonPatch(document, patch);
  if (type === mergePatchType) return applyMergePatch(document, patch);
  return applyStrategicMergePatch(document, patch, schema);
}

async function readValue(call: Call): Promise<Json> {
  const { body } = call.request;
  if (body.kind === "object") return cloneJson(body.value) as Json;
  return decodeBody(await readBytes(call.request), "application/json").value;
}
