import { answerWritten, type Answer } from "../answer.ts";
import type { Call } from "../call.ts";
import { readObjectBody } from "../content/decode.ts";
import { createObject } from "../objects/create.ts";

export async function create(call: Call): Promise<Answer> {
  const object = await readObjectBody(call, call.kind);
  call.kind.strategy.fillDefaults?.(object);
  return answerWritten(await createObject(call, object), 201);
}
