import { isFor } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { ensureObject, stringsAt } from "#apiserver/objects/json.ts";

/** What is in use stays until its controllers say that it is not: a finalizer from the first moment. */
export const storageProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  mutate(call, { operation, object }) {
    if (operation !== "CREATE" || object === undefined) return;
    const found = finalizers.find(([group, resource]) => isFor(call, group, resource));
    if (found === undefined) return;
    const metadata = ensureObject(object, "metadata");
    const present = stringsAt(metadata, "finalizers");
    if (!present.includes(found[2])) metadata.finalizers = [...present, found[2]];
  },
};

const finalizers = [
  ["", "persistentvolumes", "kubernetes.io/pv-protection"],
  ["", "persistentvolumeclaims", "kubernetes.io/pvc-protection"],
] as const;
