import type { Call } from "#apiserver/call.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** An annotation of the namespace that a call is about. */
export function namespaceAnnotation(call: Call, name: string): string | undefined {
  const namespaces = { group: "", resource: "namespaces" };
  const found = lookUp(call.server, namespaces, { name: call.info.namespace });
  const value = objectAt(objectAt(found, "metadata"), "annotations")[name];
  return typeof value === "string" ? value : undefined;
}
