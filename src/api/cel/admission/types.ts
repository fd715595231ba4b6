import {
  boolType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structType,
  timestampType,
  type Type,
} from "#api/cel/type.ts";

/** A type of fixed fields. */
export function structOf(name: string, fields: Readonly<Record<string, Type>>): Type {
  return structType(name, {
    fieldOf: (field) => (Object.hasOwn(fields, field) ? fields[field] : undefined),
  });
}

const texts = listOf(stringType);
const textByText = mapOf(stringType, stringType);

const kindType = structOf("kubernetes.GroupVersionKind", {
  group: stringType,
  version: stringType,
  kind: stringType,
});

const resourceType = structOf("kubernetes.GroupVersionResource", {
  group: stringType,
  version: stringType,
  resource: stringType,
});

/** The variable `request`: what an AdmissionReview tells webhooks, without the objects. */
export const requestType = structOf("kubernetes.AdmissionRequest", {
  kind: kindType,
  resource: resourceType,
  subResource: stringType,
  requestKind: kindType,
  requestResource: resourceType,
  requestSubResource: stringType,
  name: stringType,
  namespace: stringType,
  operation: stringType,
  userInfo: structOf("kubernetes.UserInfo", {
    username: stringType,
    uid: stringType,
    groups: texts,
    extra: mapOf(stringType, texts),
  }),
  dryRun: boolType,
  options: dynType,
});

/** The variable `namespaceObject`: the parts of a namespace that policies may see. */
export const namespaceType = structOf("kubernetes.Namespace", {
  metadata: structOf("kubernetes.NamespaceMetadata", {
    name: stringType,
    generateName: stringType,
    namespace: stringType,
    labels: textByText,
    annotations: textByText,
    UID: stringType,
    creationTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    deletionTimestamp: timestampType,
    generation: intType,
    resourceVersion: stringType,
    finalizers: texts,
  }),
  spec: structOf("kubernetes.NamespaceSpec", { finalizers: texts }),
  status: structOf("kubernetes.NamespaceStatus", {
    phase: stringType,
    conditions: listOf(
      structOf("kubernetes.NamespaceCondition", {
        type: stringType,
        status: stringType,
        reason: stringType,
        message: stringType,
        lastTransitionTime: timestampType,
      }),
    ),
  }),
});
