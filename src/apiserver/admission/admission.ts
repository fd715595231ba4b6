import type { JsonObject } from "#api/kind.ts";
import type { Call } from "#apiserver/call.ts";

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

/** Whether the write is to this resource itself, not to a subresource of it. */
export function isFor(call: Call, group: string, resource: string): boolean {
  return (
    call.kind.group === group && call.kind.resource === resource && call.subresource === undefined
  );
}
