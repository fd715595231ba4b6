import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { createObject } from "#apiserver/objects/create.ts";

export async function create(call: Call): Promise<Answer> {
  const object = await readObjectBody(call, call.kind);
  call.kind.strategy.fillDefaults?.(object);
  return answerWritten(await createObject(call, object), 201);
}
