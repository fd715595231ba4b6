import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { rfc3339 } from "#base/clock.ts";
import { invariant } from "#base/invariant.ts";
import { randomUid } from "#base/random.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { objectKey } from "#apiserver/objects/keys.ts";
import { persist } from "#apiserver/objects/persist.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Stores a default role or binding as a request would have, without the checks that a request needs: the first start
 * of a cluster writes over a hundred of them. Nothing happens when another server was faster.
 */
export async function storeDefault(state: ServerState, wanted: FirstObject): Promise<void> {
  const kind = state.kinds.find(wanted.group, wanted.version, wanted.resource);
  invariant(kind !== undefined, `the kind of ${wanted.resource} is served`);
  const given = objectAt(wanted.object, "metadata");
  const time = rfc3339(state.clock.now());
  const metadata = {
    ...given,
    uid: randomUid(state.random),
    creationTimestamp: time,
    managedFields: [managerEntry(wanted.object, time)],
  };
  const key = objectKey(kind, stringAt(given, "namespace"), stringAt(given, "name"));
  await persist(state, { kind, key, expected: 0 }, { ...wanted.object, metadata });
}

function managerEntry(object: JsonObject, time: string): JsonObject {
  return {
    manager: "kube-apiserver",
    operation: "Update",
    apiVersion: stringAt(object, "apiVersion"),
    time,
    fieldsType: "FieldsV1",
    fieldsV1: ownedFields(object),
  };
}

/** The fields of roles and bindings are owned whole, those of metadata and of the aggregation one by one. */
function ownedFields(object: JsonObject): Json {
  const { labels, annotations } = objectAt(object, "metadata");
  const whole = ["roleRef", "rules", "subjects"].filter((name) => object[name] !== undefined);
  return {
    ...(object.aggregationRule !== undefined && {
      "f:aggregationRule": { ".": {}, "f:clusterRoleSelectors": {} },
    }),
    "f:metadata": { "f:annotations": eachOf(annotations), "f:labels": eachOf(labels) },
    ...Object.fromEntries(whole.map((name) => [`f:${name}`, {}])),
  };
}

function eachOf(map: Json | undefined): Json {
  const names = Object.keys(map ?? {});
  return { ".": {}, ...Object.fromEntries(names.map((name) => [`f:${name}`, {}])) };
}
