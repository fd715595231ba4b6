import type { JsonObject } from "#api/kind.ts";
import { compareQuantities } from "#api/quantity.ts";
import { readAmounts, zero } from "#api/quota/amounts.ts";
import { isFor, notAdmitted } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** A claim grows only once it is bound, and only where its storage class allows that. */
export const claimResize: AdmissionPlugin = {
  name: "PersistentVolumeClaimResize",
  validate(call, attempt) {
    const { operation, object, old } = attempt;
    if (operation !== "UPDATE" || object === undefined || old === undefined) return;
    if (!isFor(call, "", "persistentvolumeclaims")) return;
    if (compareQuantities(sizeOf(object), sizeOf(old)) <= 0) return;
    if (stringAt(objectAt(old, "status"), "phase") !== "Bound") {
      throw notAdmitted(call, attempt, "Only bound persistent volume claims can be expanded");
    }
    if (mayGrow(call, object, old)) return;
    throw notAdmitted(
      call,
      attempt,
      "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    );
  },
};

function sizeOf(claim: JsonObject) {
  const requests = objectAt(objectAt(objectAt(claim, "spec"), "resources"), "requests");
  return readAmounts(requests).get("storage") ?? zero;
}

function mayGrow(call: Call, claim: JsonObject, old: JsonObject): boolean {
  const name = classOf(claim);
  if (name === "" || name !== classOf(old)) return false;
  const storageClasses = { group: "storage.k8s.io", resource: "storageclasses" };
  return lookUp(call.server, storageClasses, { name })?.allowVolumeExpansion === true;
}

function classOf(claim: JsonObject): string {
  const annotations = objectAt(objectAt(claim, "metadata"), "annotations");
  const beta = annotations["volume.beta.kubernetes.io/storage-class"];
  return typeof beta === "string" ? beta : stringAt(objectAt(claim, "spec"), "storageClassName");
}
