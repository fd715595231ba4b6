import { ensureObject, objectAt, stringAt } from "#apiserver/objects/json.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** A pod learns zone and region of its node as labels, when it is bound or made on it. */
export const podTopologyLabels: AdmissionPlugin = {
  name: "PodTopologyLabels",
  mutate({ kind, info, server }, { operation, object }) {
    if (operation !== "CREATE" || object === undefined) return;
    if (kind.group !== "" || kind.resource !== "pods") return;
    if (info.subresource !== "" && info.subresource !== "binding") return;
    const target = objectAt(object, "target");
    const name =
      info.subresource === "binding"
        ? stringAt(target, "kind") === "Node" && stringAt(target, "name")
        : stringAt(objectAt(object, "spec"), "nodeName");
    if (!name) return;
    const node = lookUp(server, { group: "", resource: "nodes" }, { name });
    const labels = objectAt(objectAt(node, "metadata"), "labels");
    for (const key of ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"]) {
      const value = labels[key];
      if (value === undefined) continue;
      ensureObject(ensureObject(object, "metadata"), "labels")[key] = value;
    }
  },
};
