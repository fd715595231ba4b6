import type { JsonObject } from "#api/kind.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, setOrRemove } from "#apiserver/objects/json.ts";

/** In place: notes in `managedFields` which fields this request's manager has set. */
export function noteManager(_call: Call, object: JsonObject, old: JsonObject | undefined): void {
  setOrRemove(
    ensureObject(object, "metadata"),
    "managedFields",
    objectAt(old, "metadata").managedFields,
  );
}
