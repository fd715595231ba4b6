import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  count,
  name,
  objects,
  orNone,
  strings,
  text,
  unset,
} from "#api/kinds/columns/cells.ts";

/** The columns of `storage.k8s.io` by kind. */
export const storageColumns: Readonly<Record<string, readonly Column[]>> = {
  CSIDriver: [
    name,
    flag("AttachRequired", "attachRequired", true),
    flag("PodInfoOnMount", "podInfoOnMount", false),
    flag("StorageCapacity", "storageCapacity", false),
    column("TokenRequests", "Audiences of tokens the driver gets", (driver) => {
      if (at(driver, "spec", "tokenRequests") === undefined) return unset;
      const requests = objects(driver, "spec", "tokenRequests");
      return requests.map((request) => text(request, "audience")).join(",");
    }),
    flag("RequiresRepublish", "requiresRepublish", false),
    column("Modes", "Kinds of volumes the driver serves", (driver) =>
      orNone(strings(driver, "spec", "volumeLifecycleModes").join(",")),
    ),
    age,
  ],
  CSINode: [
    name,
    count(
      "Drivers",
      "Number of drivers on the node",
      (node) => objects(node, "spec", "drivers").length,
    ),
    age,
  ],
  CSIStorageCapacity: [
    name,
    column("StorageClassName", "Storage class", (object) => text(object, "storageClassName")),
    column("Capacity", "Space left", (object) => text(object, "capacity") || unset),
  ],
  StorageClass: [
    nameOfDefault("storageclass.kubernetes.io/is-default-class", [
      "storageclass.beta.kubernetes.io/is-default-class",
    ]),
    column("Provisioner", "Who makes the volumes", (object) => text(object, "provisioner")),
    column(
      "ReclaimPolicy",
      "What becomes of a volume without its claim",
      (object) => text(object, "reclaimPolicy") || "Delete",
    ),
    column(
      "VolumeBindingMode",
      "When volumes are bound",
      (object) => text(object, "volumeBindingMode") || "Immediate",
    ),
    column(
      "AllowVolumeExpansion",
      "Whether volumes can grow",
      (object) => at(object, "allowVolumeExpansion") === true,
    ),
    age,
  ],
  VolumeAttachment: [
    name,
    {
      ...column("Attacher", "Driver that attaches the volume", (object) =>
        text(object, "spec", "attacher"),
      ),
      format: "name",
    },
    column("PV", "The persistent volume", (object) =>
      text(object, "spec", "source", "persistentVolumeName"),
    ),
    column("Node", "The node it is attached to", (object) => text(object, "spec", "nodeName")),
    column(
      "Attached",
      "Whether it is attached",
      (object) => at(object, "status", "attached") === true,
      {
        type: "boolean",
      },
    ),
    age,
  ],
  VolumeAttributesClass: [
    nameOfDefault("volumeattributesclass.alpha.kubernetes.io/is-default-class", []),
    column("DriverName", "Driver of the class", (object) => text(object, "driverName")),
    age,
  ],
};

function flag(heading: string, field: string, byDefault: boolean): Column {
  const cell = (driver: JsonObject): boolean => {
    const value = at(driver, "spec", field);
    return typeof value === "boolean" ? value : byDefault;
  };
  return column(heading, `The driver's ${field}`, cell, { type: "boolean" });
}

/** The name, marked when an annotation makes the class the default one. */
function nameOfDefault(annotation: string, older: readonly string[]): Column {
  return {
    ...name,
    cell: (object) => {
      const annotations = at(object, "metadata", "annotations");
      const isDefault = [annotation, ...older].some((one) => text(annotations, one) === "true");
      return text(object, "metadata", "name") + (isDefault ? " (default)" : "");
    },
  };
}
