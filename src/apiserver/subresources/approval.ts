import type { JsonObject } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { checkedObject, readObjectBody } from "#apiserver/content/decode.ts";
import { cloneJson, ensureObject, objectAt, objectsAt } from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { readPatch } from "#apiserver/verbs/read-patch.ts";

/** `certificatesigningrequests/approval`: sets the conditions, of which approval is one; as upstream, of the rest only metadata may come along. */
export async function updateApproval(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, call.kind);
  return approve(call, () => sent);
}

export async function patchApproval(call: Call): Promise<Answer> {
  const patch = await readPatch(call, call.kind.schema);
  return approve(call, (old) =>
    checkedObject(call, call.kind, { value: patch(old), findings: [] }),
  );
}

async function approve(call: Call, next: (old: JsonObject) => JsonObject): Promise<Answer> {
  const written = await updateObject(call, {
    part: "raw",
    change: ({ object: old }) => withConditions(call, old, next(old)),
    ...(call.kind.strategy.validateUpdate && { validate: call.kind.strategy.validateUpdate }),
  });
  return answerWritten(written, 200);
}

function withConditions(call: Call, old: JsonObject, sent: JsonObject): JsonObject {
  const object = cloneJson(old);
  const now = rfc3339(call.server.clock.now());
  const conditions = objectsAt(objectAt(sent, "status"), "conditions").map((condition) => ({
    lastUpdateTime: now,
    lastTransitionTime: now,
    ...cloneJson(condition),
  }));
  ensureObject(object, "status").conditions = conditions;
  object.metadata = cloneJson(objectAt(sent, "metadata"));
  return object;
}
