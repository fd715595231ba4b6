import type { JsonObject } from "#api/kind.ts";
import { forbidden, type StatusError } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";

/** One write on its way in. */
export interface Attempt {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  /** What is to be stored; may be changed in place. Undefined for a deletion. */
  readonly object: JsonObject | undefined;
  /** What is stored now, frozen. Undefined for a creation. */
  readonly old: JsonObject | undefined;
}

/** Changes the object, or refuses by throwing a `StatusError`. */
export type AdmissionFunction = (call: Call, attempt: Attempt) => void | Promise<void>;

export async function admit(call: Call, attempt: Attempt): Promise<void> {
  for (const step of call.server.admission) await step(call, attempt);
}

/** Why an admission step does not let a write pass. A name that is to be generated is told by its beginning. */
export function notAdmitted(call: Call, attempt: Attempt, why: string): StatusError {
  const metadata = objectAt(attempt.object, "metadata");
  const known = call.info.name || stringAt(metadata, "name") || stringAt(metadata, "generateName");
  return forbidden(call.kind, known || "Unknown", why);
}

/** Whether the write is to this resource itself, not to a subresource of it. */
export function isFor(call: Call, group: string, resource: string): boolean {
  return (
    call.kind.group === group && call.kind.resource === resource && call.subresource === undefined
  );
}
