import type { JsonObject } from "#api/kind.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";

/** `secrets/NAMESPACE/NAME`: what a pod needs and so its node may read. */
export type Reference = string;

export function referenceTo(resource: string, namespace: string, name: string): Reference {
  return `${resource}/${namespace}/${name}`;
}

/** Everything a pod names; a mirror pod, which a node made itself, gives the node nothing. */
export function referencesOf(pod: JsonObject): readonly Reference[] {
  const metadata = objectAt(pod, "metadata");
  if (objectAt(metadata, "annotations")["kubernetes.io/config.mirror"] !== undefined) return [];
  const namespace = stringAt(metadata, "namespace");
  const names = [...namesIn(pod, stringAt(metadata, "name"))].filter(([, name]) => name !== "");
  return [...new Set(names.map(([resource, name]) => referenceTo(resource, namespace, name)))];
}

type Named = readonly [resource: string, name: string];

function* namesIn(pod: JsonObject, podName: string): Generator<Named> {
  const spec = objectAt(pod, "spec");
  yield ["serviceaccounts", stringAt(spec, "serviceAccountName")];
  for (const secret of objectsAt(spec, "imagePullSecrets"))
    yield ["secrets", stringAt(secret, "name")];
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const container of objectsAt(spec, field)) yield* namesInContainer(container);
  }
  for (const volume of objectsAt(spec, "volumes")) yield* namesInVolume(volume, podName);
  yield* namesOfClaims(pod, spec);
}

function* namesInContainer(container: JsonObject): Generator<Named> {
  for (const source of objectsAt(container, "envFrom")) {
    yield ["secrets", stringAt(objectAt(source, "secretRef"), "name")];
    yield ["configmaps", stringAt(objectAt(source, "configMapRef"), "name")];
  }
  for (const variable of objectsAt(container, "env")) {
    const from = objectAt(variable, "valueFrom");
    yield ["secrets", stringAt(objectAt(from, "secretKeyRef"), "name")];
    yield ["configmaps", stringAt(objectAt(from, "configMapKeyRef"), "name")];
  }
}

function* namesInVolume(volume: JsonObject, podName: string): Generator<Named> {
  yield ["secrets", stringAt(objectAt(volume, "secret"), "secretName")];
  yield ["configmaps", stringAt(objectAt(volume, "configMap"), "name")];
  for (const source of objectsAt(objectAt(volume, "projected"), "sources")) {
    yield ["secrets", stringAt(objectAt(source, "secret"), "name")];
    yield ["configmaps", stringAt(objectAt(source, "configMap"), "name")];
  }
  for (const [type, field] of secretFields) {
    const value = objectAt(volume, type)[field];
    yield [
      "secrets",
      typeof value === "string" ? value : stringAt(objectAt(objectAt(volume, type), field), "name"),
    ];
  }
  yield [
    "persistentvolumeclaims",
    stringAt(objectAt(volume, "persistentVolumeClaim"), "claimName"),
  ];
  if (volume.ephemeral) yield ["persistentvolumeclaims", `${podName}-${stringAt(volume, "name")}`];
}

/** Volumes of storage systems name the secret of their login in a field of their own. */
const secretFields: readonly (readonly [type: string, field: string])[] = [
  ["azureFile", "secretName"],
  ["cephfs", "secretRef"],
  ["cinder", "secretRef"],
  ["csi", "nodePublishSecretRef"],
  ["flexVolume", "secretRef"],
  ["iscsi", "secretRef"],
  ["rbd", "secretRef"],
  ["scaleIO", "secretRef"],
  ["storageos", "secretRef"],
];

/** The names of generated claims are in the pod's status. */
function* namesOfClaims(pod: JsonObject, spec: JsonObject): Generator<Named> {
  for (const claim of objectsAt(spec, "resourceClaims")) {
    yield ["resourceclaims", stringAt(claim, "resourceClaimName")];
  }
  const status = objectAt(pod, "status");
  for (const claim of objectsAt(status, "resourceClaimStatuses")) {
    yield ["resourceclaims", stringAt(claim, "resourceClaimName")];
  }
  const extended = objectAt(status, "extendedResourceClaimStatus");
  yield ["resourceclaims", stringAt(extended, "resourceClaimName")];
}
