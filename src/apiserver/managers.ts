import { updateManagedFields } from "#api/apply/update-managed-fields.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { managerOf, subresourceName, type Call } from "#apiserver/call.ts";
import { ensureObject } from "#apiserver/objects/json.ts";

/** In place: notes in `managedFields` which fields this request's manager has set. */
export function noteManager(call: Call, object: JsonObject, old: JsonObject | undefined): void {
  const entries = updateManagedFields({
    old,
    new: object,
    manager: managerOf(call),
    subresource: subresourceName(call),
    apiVersion: apiVersionOf(call.kind),
    schema: call.kind.schema,
    nowMs: call.server.clock.now(),
  });
  const metadata = ensureObject(object, "metadata");
  if (entries.length === 0) delete metadata.managedFields;
  else metadata.managedFields = [...entries] as unknown as Json;
}
