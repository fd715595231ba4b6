import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObject } from "#apiserver/objects/read.ts";
import { awaitRevision, parseRevision } from "#apiserver/verbs/resource-version.ts";

export async function get(call: Call): Promise<Answer> {
  const version = call.request.query.get("resourceVersion") ?? "";
  if (version !== "") await awaitRevision(call, parseRevision(version));
  return { kind: "stored", status: 200, object: await readObject(call) };
}
