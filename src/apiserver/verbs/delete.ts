import type { JsonObject } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { hookOf } from "#apiserver/hooks/resource-hooks.ts";
import { deleteObject, type Deleted } from "#apiserver/objects/delete.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import type { DeleteOptions } from "#apiserver/objects/plan-deletion.ts";
import { ifFound } from "#api/status.ts";
import { deleteOptionsOf } from "#apiserver/verbs/delete-options.ts";
import { listObjects } from "#apiserver/verbs/list.ts";

export async function remove(call: Call): Promise<Answer> {
  const options = await deleteOptionsOf(call);
  warnOfUndecided(call, options);
  const deleted = await deleteObject(withDryRun(call, options.dryRun), options);
  if (deleted.removed && !hookOf(call.server, call.kind).returnsDeleted) {
    return { kind: "value", status: 200, value: successOf(call, deleted) };
  }
  const status = !deleted.removed && options.orphanDependents === false ? 202 : 200;
  return deleted.stored
    ? { kind: "stored", status, object: deleted.stored }
    : { kind: "value", status, value: deleted.object };
}

/** Deletes all that the selectors match and answers what was there. */
export async function removeCollection(call: Call): Promise<Answer> {
  const options = await deleteOptionsOf(call);
  warnOfUndecided(call, options);
  const deleting = withDryRun(call, options.dryRun);
  const list = await listObjects(call, 0);
  for (const item of list.items) {
    const metadata = objectAt(item.object, "metadata");
    const namespace = stringAt(metadata, "namespace");
    const one: Call = { ...deleting, info: { ...deleting.info, namespace } };
    await ifFound(deleteObject(one, options, { name: stringAt(metadata, "name") }));
  }
  return { kind: "list", list };
}

function warnOfUndecided(call: Call, options: DeleteOptions): void {
  const text = hookOf(call.server, call.kind).undecidedDeletion;
  const undecided =
    options.propagationPolicy === undefined && options.orphanDependents === undefined;
  if (text !== undefined && undecided) call.warnings.add(text);
}

function withDryRun(call: Call, dryRun: boolean): Call {
  return dryRun ? { ...call, dryRun } : call;
}

function successOf(call: Call, deleted: Deleted): JsonObject {
  const metadata = objectAt(deleted.object, "metadata");
  const { group, resource } = call.kind;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name: stringAt(metadata, "name"),
      ...(group !== "" && { group }),
      kind: resource,
      uid: stringAt(metadata, "uid"),
    },
  };
}
