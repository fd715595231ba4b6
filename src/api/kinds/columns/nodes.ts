import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  name,
  objects,
  orNone,
  text,
  unknown,
  wide,
} from "#api/kinds/columns/cells.ts";

export const nodeColumns: readonly Column[] = [
  name,
  column("Status", "Whether the node is ready and takes pods", nodeStatus),
  column("Roles", "Roles the node's labels give it", nodeRoles),
  age,
  column("Version", "Version of the node's agent", (node) =>
    text(node, "status", "nodeInfo", "kubeletVersion"),
  ),
  wide("Internal-IP", "Address inside the cluster", (node) => addressOf(node, "InternalIP")),
  wide("External-IP", "Address outside the cluster", (node) => addressOf(node, "ExternalIP")),
  wide("OS-Image", "Operating system", (node) => nodeInfo(node, "osImage")),
  wide("Kernel-Version", "Kernel", (node) => nodeInfo(node, "kernelVersion")),
  wide("Container-Runtime", "Container runtime and its version", (node) =>
    nodeInfo(node, "containerRuntimeVersion"),
  ),
];

function nodeStatus(node: JsonObject): string {
  const ready = objects(node, "status", "conditions").find((one) => text(one, "type") === "Ready");
  const words = [ready === undefined ? "Unknown" : readiness(ready)];
  if (at(node, "spec", "unschedulable") === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function readiness(condition: JsonObject): string {
  return text(condition, "status") === "True" ? "Ready" : "NotReady";
}

function nodeRoles(node: JsonObject): string {
  const labels = at(node, "metadata", "labels") ?? {};
  const roles = Object.keys(labels).map((label) => {
    if (label === "kubernetes.io/role") return text(labels, label);
    const prefix = "node-role.kubernetes.io/";
    return label.startsWith(prefix) ? label.slice(prefix.length) : "";
  });
  return orNone([...new Set(roles.filter((role) => role !== ""))].toSorted().join(","));
}

function addressOf(node: JsonObject, type: string): string {
  const addresses = objects(node, "status", "addresses");
  return orNone(
    text(
      addresses.find((address) => text(address, "type") === type),
      "address",
    ),
  );
}

function nodeInfo(node: JsonObject, field: string): string {
  return text(node, "status", "nodeInfo", field) || unknown;
}
