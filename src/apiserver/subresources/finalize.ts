import type { JsonObject } from "#api/kind.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import {
  cloneJson,
  ensureObject,
  objectAt,
  setOrRemove,
  stringAt,
} from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";

/** `namespaces/finalize`: takes away the finalizers of the spec; with the last one a dying namespace goes. */
export async function finalize(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, call.kind);
  const written = await updateObject(call, {
    part: "raw",
    change: ({ object: old }) => withFinalizers(old, sent),
  });
  return answerWritten(written, 200);
}

function withFinalizers(old: JsonObject, sent: JsonObject): JsonObject {
  const object = cloneJson(old);
  setOrRemove(
    ensureObject(object, "spec"),
    "finalizers",
    cloneJson(objectAt(sent, "spec").finalizers),
  );
  const version = stringAt(objectAt(sent, "metadata"), "resourceVersion");
  if (version !== "") ensureObject(object, "metadata").resourceVersion = version;
  return object;
}
