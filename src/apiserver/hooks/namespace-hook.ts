import { ensureObject, objectAt, stringsAt } from "#apiserver/objects/json.ts";
import type { ResourceHook } from "#apiserver/hooks/resource-hooks.ts";

/**
 * A namespace has finalizers of its own in its spec: it goes when the namespace controller has emptied it and taken
 * them away through the `finalize` subresource.
 */
export const namespaceHook: ResourceHook = {
  mayRemove: (object) => stringsAt(objectAt(object, "spec"), "finalizers").length === 0,
  markDeleting: (object) => {
    delete ensureObject(object, "metadata").deletionGracePeriodSeconds;
    ensureObject(object, "status").phase = "Terminating";
  },
};
