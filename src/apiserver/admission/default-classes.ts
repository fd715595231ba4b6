import type { JsonObject } from "#api/kind.ts";
import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, stringAt } from "#apiserver/objects/json.ts";

/** A new claim that names no storage class gets the cluster's default one. */
export function defaultStorageClass(call: Call, { operation, object }: Attempt): void {
  if (operation !== "CREATE" || object === undefined) return;
  if (!isFor(call, "", "persistentvolumeclaims")) return;
  const spec = ensureObject(object, "spec");
  const annotations = objectAt(objectAt(object, "metadata"), "annotations");
  if (spec.storageClassName !== undefined || annotations[betaClassAnnotation] !== undefined) return;
  const name = defaultOf(call, storageClasses, "storageclass.kubernetes.io/is-default-class");
  if (name !== undefined) spec.storageClassName = name;
}

/** A new ingress that names no class gets the cluster's default one. */
export function defaultIngressClass(call: Call, { operation, object }: Attempt): void {
  if (operation !== "CREATE" || object === undefined) return;
  if (!isFor(call, "networking.k8s.io", "ingresses")) return;
  const spec = ensureObject(object, "spec");
  const annotations = objectAt(objectAt(object, "metadata"), "annotations");
  if (spec.ingressClassName !== undefined || annotations[ingressAnnotation] !== undefined) return;
  const name = defaultOf(call, ingressClasses, "ingressclass.kubernetes.io/is-default-class");
  if (name !== undefined) spec.ingressClassName = name;
}

const betaClassAnnotation = "volume.beta.kubernetes.io/storage-class";
const ingressAnnotation = "kubernetes.io/ingress.class";
const storageClasses = { group: "storage.k8s.io", resource: "storageclasses" };
const ingressClasses = { group: "networking.k8s.io", resource: "ingressclasses" };

/** The newest of the classes that are marked as default, then the first by name. */
function defaultOf(
  call: Call,
  resource: { readonly group: string; readonly resource: string },
  annotation: string,
): string | undefined {
  const prefix = resourcePrefix(resource);
  const all = call.server.cache.resource(prefix).list(prefix);
  const marked = all
    .map((stored) => objectAt(stored.object, "metadata"))
    .filter((metadata) => objectAt(metadata, "annotations")[annotation] === "true");
  return marked.toSorted(newestFirst).map((metadata) => stringAt(metadata, "name"))[0];
}

function newestFirst(a: JsonObject, b: JsonObject): number {
  const [first, second] = [stringAt(a, "creationTimestamp"), stringAt(b, "creationTimestamp")];
  if (first !== second) return first > second ? -1 : 1;
  return stringAt(a, "name") < stringAt(b, "name") ? -1 : 1;
}
