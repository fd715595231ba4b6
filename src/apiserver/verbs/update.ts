import type { JsonObject } from "#api/kind.ts";
import { badRequest, conflict, invalid } from "#api/status.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { assertMayCreate } from "#apiserver/verbs/may-create.ts";
import { createObject } from "#apiserver/objects/create.ts";
import { cloneJson, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { preconditionText } from "#apiserver/objects/precondition.ts";
import { settleName } from "#apiserver/objects/metadata.ts";
import { readStored } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";

export async function update(call: Call): Promise<Answer> {
  const object = await readObjectBody(call, call.kind);
  call.kind.strategy.fillDefaults?.(object);
  if (stringAt(objectAt(object, "metadata"), "name") === "") {
    throw badRequest(
      `the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  settleName(call, object);
  const isStatus = call.subresource?.name === "status";
  if (!isStatus && call.kind.strategy.createOnUpdate && (await readStored(call)) === undefined) {
    await assertMayCreate(call);
    return answerWritten(await createObject(call, object), 201);
  }
  const change = (current: StoredObject): JsonObject => {
    assertVersioned(call, object);
    assertSameObject(call, object, current.object);
    return cloneJson(object);
  };
  const written = await updateObject(call, { change, part: isStatus ? "status" : "main" });
  return answerWritten(written, 200);
}

/** A uid that is sent says which object is meant. */
function assertSameObject(call: Call, object: JsonObject, current: JsonObject): void {
  const asked = stringAt(objectAt(object, "metadata"), "uid");
  const found = stringAt(objectAt(current, "metadata"), "uid");
  if (asked === "" || asked === found) return;
  throw conflict(call.kind, call.info.name, preconditionText(call, { word: "UID", asked, found }));
}

function assertVersioned(call: Call, object: JsonObject): void {
  const version = stringAt(objectAt(object, "metadata"), "resourceVersion");
  if (version !== "" || (call.kind.strategy.unconditionalUpdate ?? true)) return;
  // Upstream names the resource where it means the kind.
  const { group, resource } = call.kind;
  throw invalid({ group, kind: resource }, call.info.name, [
    {
      reason: "FieldValueInvalid",
      message: "Invalid value: 0: must be specified for an update",
      field: "metadata.resourceVersion",
    },
  ]);
}
