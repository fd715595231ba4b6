import { invalid } from "#api/status.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { contentTypeOf, unsupportedMediaType } from "#apiserver/content/body.ts";
import { checkedPatchResult } from "#apiserver/content/decode.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { apply, applyType } from "#apiserver/verbs/apply.ts";
import { readPatch, typesFor } from "#apiserver/verbs/read-patch.ts";

export async function patch(call: Call): Promise<Answer> {
  const type = contentTypeOf(call.request);
  if (type === applyType) return apply(call);
  const accepted = typesFor(call.kind.schema);
  if (!accepted.includes(type)) throw unsupportedMediaType([...accepted, applyType]);
  assertNotForced(call);
  const change = await readPatch(call, call.kind.schema);
  const written = await updateObject(call, {
    part: call.subresource?.name === "status" ? "status" : "main",
    change: ({ object }) => {
      const result = checkedPatchResult(call, change(object));
      call.kind.strategy.fillDefaults?.(result);
      return result;
    },
  });
  return answerWritten(written, 200);
}

function assertNotForced(call: Call): void {
  if (call.request.query.get("force") === null) return;
  throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
    {
      reason: "FieldValueForbidden",
      message: "Forbidden: may not be specified for non-apply patch",
      field: "force",
    },
  ]);
}
