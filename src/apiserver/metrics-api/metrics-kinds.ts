import type { JSONSchemaProps } from "#api/generated/types.ts";
import { customKindsOf } from "#api/custom/custom-kinds.ts";
import type { Column, JsonObject, Kind } from "#api/kind.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { readQuantity } from "#api/quantity.ts";

const usage: JSONSchemaProps = {
  type: "object",
  description: "What is used: cpu and memory.",
  additionalProperties: { "x-kubernetes-int-or-string": true },
};

const nameColumn: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name of the object",
  priority: 0,
  cell: (object) => stringAt(objectAt(object, "metadata"), "name"),
};

/** `metrics.k8s.io/v1beta1`, as metrics-server has it. */
export const nodeMetricsKind: Kind = kindOf({ plural: "nodes", kind: "NodeMetrics" }, "Cluster", [
  usageColumn("cpu", nodeUsage),
  usageColumn("memory", nodeUsage),
  windowColumn(),
]);

export const podMetricsKind: Kind = kindOf({ plural: "pods", kind: "PodMetrics" }, "Namespaced", [
  usageColumn("cpu", podUsage),
  usageColumn("memory", podUsage),
  windowColumn(),
]);

function kindOf(
  names: { readonly plural: string; readonly kind: string },
  scope: "Cluster" | "Namespaced",
  columns: readonly Column[],
): Kind {
  const [kind] = customKindsOf({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${names.plural}.metrics.k8s.io` },
    spec: {
      group: "metrics.k8s.io",
      scope,
      names: { ...names, singular: "" },
      versions: [
        {
          name: "v1beta1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemaOf(scope) },
        },
      ],
    },
  });
  if (kind === undefined) throw new Error(`Cannot serve ${names.kind}: it has no version`);
  return { ...kind, verbs: ["get", "list"], columns: [nameColumn, ...columns] };
}

function schemaOf(scope: "Cluster" | "Namespaced"): JSONSchemaProps {
  const container = { type: "object", properties: { name: { type: "string" }, usage } };
  return {
    type: "object",
    properties: {
      timestamp: { type: "string", format: "date-time" },
      window: { type: "string", description: "The time that the usage is an average of." },
      ...(scope === "Cluster" ? { usage } : { containers: { type: "array", items: container } }),
    },
  };
}

function usageColumn(
  resource: "cpu" | "memory",
  read: (object: JsonObject, resource: string) => string,
): Column {
  return {
    name: resource,
    type: "string",
    description: `${resource} that is used`,
    priority: 0,
    cell: (object) => read(object, resource),
  };
}

function windowColumn(): Column {
  return {
    name: "Window",
    type: "string",
    description: "The time that the usage is an average of",
    priority: 0,
    cell: (object) => stringAt(object, "window"),
  };
}

function nodeUsage(object: JsonObject, resource: string): string {
  return stringAt(objectAt(object, "usage"), resource);
}

function podUsage(object: JsonObject, resource: string): string {
  let nano = 0n;
  for (const container of objectsAt(object, "containers")) {
    const quantity = readQuantity(stringAt(objectAt(container, "usage"), resource));
    if (typeof quantity !== "string") nano += quantity.nano;
  }
  return resource === "cpu"
    ? cpuQuantity(Number(nano))
    : memoryQuantity(Number(nano / 1_000_000_000n));
}

export function cpuQuantity(nanoCores: number): string {
  return nanoCores === 0 ? "0" : `${Math.round(nanoCores)}n`;
}

export function memoryQuantity(bytes: number): string {
  return bytes === 0 ? "0" : `${Math.ceil(bytes / 1024)}Ki`;
}
