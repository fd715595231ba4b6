import type { Json } from "#api/meta.ts";
import { decodeBody } from "#api/decode/decode-body.ts";
import type { JsonObject } from "#api/kind.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { applyMergePatch } from "#api/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "#api/patch/strategic-merge-patch.ts";
import { badRequest } from "#api/status.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Call } from "#apiserver/call.ts";
import { contentTypeOf, readBytes, unsupportedMediaType } from "#apiserver/content/body.ts";
import { checkedObject } from "#apiserver/content/decode.ts";
import { cloneJson } from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { apply, applyType } from "#apiserver/verbs/apply.ts";

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
  const value = cloneJson(applied(call, patching));
  const result = checkedObject(call, call.kind, { value, findings: [] });
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
  return decodeBody(await readBytes(call.request), "application/json").value;
}
