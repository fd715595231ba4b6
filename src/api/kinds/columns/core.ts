import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  containerImages,
  containerNames,
  count,
  formatLabels,
  name,
  number,
  objects,
  size,
  text,
  wide,
} from "#api/kinds/columns/cells.ts";
import { coreEventColumns } from "#api/kinds/columns/events.ts";
import { nodeColumns } from "#api/kinds/columns/nodes.ts";
import { podColumns, podTemplateColumns } from "#api/kinds/columns/pods.ts";
import { endpointsColumns, serviceColumns } from "#api/kinds/columns/services.ts";
import {
  persistentVolumeClaimColumns,
  persistentVolumeColumns,
} from "#api/kinds/columns/volumes.ts";

/** The core group's columns by kind. Limit ranges have only the default ones. */
export const coreColumns: Readonly<Record<string, readonly Column[]>> = {
  ComponentStatus: [
    name,
    column("Status", "Whether the component is healthy", (object) => {
      const status = text(healthOf(object), "status");
      return status === "" ? "Unknown" : status === "True" ? "Healthy" : "Unhealthy";
    }),
    column("Message", "What the component reports", (object) => text(healthOf(object), "message")),
    column("Error", "Why the component is not healthy", (object) =>
      text(healthOf(object), "error"),
    ),
  ],
  ConfigMap: [
    name,
    column(
      "Data",
      "Number of entries",
      (object) => size(object, "data") + size(object, "binaryData"),
    ),
    age,
  ],
  Endpoints: endpointsColumns,
  Event: coreEventColumns,
  Namespace: [
    name,
    column("Status", "Phase of the namespace", (object) => text(object, "status", "phase")),
    age,
  ],
  Node: nodeColumns,
  PersistentVolume: persistentVolumeColumns,
  PersistentVolumeClaim: persistentVolumeClaimColumns,
  Pod: podColumns,
  PodTemplate: podTemplateColumns,
  ReplicationController: [
    name,
    count("Desired", "Pods asked for", (object) => number(object, "spec", "replicas")),
    count("Current", "Pods there are", (object) => number(object, "status", "replicas")),
    count("Ready", "Pods that are ready", (object) => number(object, "status", "readyReplicas")),
    age,
    wide("Containers", "Names of the template's containers", (object) =>
      containerNames(at(object, "spec", "template", "spec")),
    ),
    wide("Images", "Images of the template's containers", (object) =>
      containerImages(at(object, "spec", "template", "spec")),
    ),
    wide("Selector", "Labels of the pods", (object) =>
      formatLabels(at(object, "spec", "selector")),
    ),
  ],
  ResourceQuota: [
    name,
    column("Request", "Used and allowed, of what is requested", (object) =>
      quotaText(object, (resource) => !isLimit(resource)),
    ),
    column("Limit", "Used and allowed, of limits", (object) => quotaText(object, isLimit)),
    age,
  ],
  Secret: [
    name,
    column("Type", "What the secret is for", (object) => text(object, "type")),
    column("Data", "Number of entries", (object) => size(object, "data")),
    age,
  ],
  Service: serviceColumns,
  ServiceAccount: [
    name,
    column("Secrets", "Number of secrets listed", (object) => objects(object, "secrets").length),
    age,
  ],
};

function healthOf(object: JsonObject): JsonObject | undefined {
  return objects(object, "conditions").find((one) => text(one, "type") === "Healthy");
}

function isLimit(resource: string): boolean {
  return resource.startsWith("limits.");
}

function quotaText(quota: JsonObject, isShown: (resource: string) => boolean): string {
  const hard = at(quota, "status", "hard") ?? {};
  const used = at(quota, "status", "used");
  return Object.keys(hard)
    .filter(isShown)
    .toSorted()
    .map((resource) => `${resource}: ${text(used, resource) || "0"}/${text(hard, resource)}`)
    .join(", ");
}
