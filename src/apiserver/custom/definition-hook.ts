import type { JsonObject } from "#api/kind.ts";
import { ensureObject, objectAt, objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import type { ResourceHook } from "#apiserver/hooks/resource-hooks.ts";

export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/** A definition that is deleted stays, terminating, until its objects are gone. */
export const definitionHook: ResourceHook = {
  mayRemove: (object) => stringAt(terminating(object), "reason") === "InstanceDeletionCompleted",
  markDeleting: (object) => {
    if (terminating(object) !== undefined) return;
    const metadata = ensureObject(object, "metadata");
    const finalizers = stringsAt(metadata, "finalizers");
    if (!finalizers.includes(cleanupFinalizer)) {
      metadata.finalizers = [...finalizers, cleanupFinalizer];
    }
    const status = ensureObject(object, "status");
    status.conditions = [
      ...objectsAt(status, "conditions"),
      {
        type: "Terminating",
        status: "True",
        lastTransitionTime: stringAt(metadata, "deletionTimestamp"),
        reason: "InstanceDeletionPending",
        message:
          "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
      },
    ];
  },
};

function terminating(object: JsonObject): JsonObject | undefined {
  const conditions = objectsAt(objectAt(object, "status"), "conditions");
  return conditions.find((condition) => condition.type === "Terminating");
}
