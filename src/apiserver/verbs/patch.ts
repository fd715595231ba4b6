import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { applyMergePatch } from "#api/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "#api/patch/strategic-merge-patch.ts";
import { badRequest } from "#api/status.ts";
import { answerWritten, type Answer } from "../answer.ts";
import type { StoredObject } from "../cache/stored-object.ts";
import type { Call } from "../call.ts";
import { contentTypeOf, readBytes, unsupportedMediaType } from "../content/body.ts";
import { cloneJson, isObject } from "../objects/json.ts";
import { updateObject } from "../objects/update.ts";
import { apply, applyType } from "./apply.ts";

export async function patch(call: Call): Promise<Answer> {
  const type = contentTypeOf(call.request);
  if (!patchTypes.includes(type)) throw unsupportedMediaType(patchTypes);
  if (type === applyType) return apply(call);
  if (call.request.query.get("force") !== null) {
    throw badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    );
  }
  const change = await readPatch(call);
  const isStatus = call.subresource?.name === "status";
  const written = await updateObject(call, {
    change: (current) => patched(call, { current, patch: change, type }),
    part: isStatus ? "status" : "main",
  });
  return answerWritten(written, 200);
}

const jsonPatchType = "application/json-patch+json";
const mergePatchType = "application/merge-patch+json";
const strategicType = "application/strategic-merge-patch+json";
const patchTypes: readonly string[] = [jsonPatchType, mergePatchType, strategicType, applyType];

interface Patching {
  readonly current: StoredObject;
  readonly patch: Json;
  readonly type: string;
}

function patched(call: Call, patching: Patching): JsonObject {
  const result = cloneJson(applied(call, patching));
  if (!isObject(result)) throw badRequest("the patched value is not an object");
  call.kind.strategy.fillDefaults?.(result);
  return result;
}

function applied(call: Call, { current, patch, type }: Patching): Json {
  const document = current.object;
  if (type === jsonPatchType) return applyJsonPatch(document, patch);
  if (type === mergePatchType) return applyMergePatch(document, patch);
  return applyStrategicMergePatch(document, patch, call.kind.schema);
}

async function readPatch(call: Call): Promise<Json> {
  const { body } = call.request;
  if (body.kind === "object") return cloneJson(body.value) as Json;
  const bytes = await readBytes(call.request);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Json;
  } catch (error) {
    throw badRequest(`error decoding patch: ${(error as Error).message}`);
  }
}
