import { isFor, notAdmitted } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";

/** Pods may keep others off a node, not off a whole zone. */
export const antiAffinityTopology: AdmissionPlugin = {
  name: "LimitPodHardAntiAffinityTopology",
  validate(call, attempt) {
    const { operation, object } = attempt;
    if ((operation !== "CREATE" && operation !== "UPDATE") || !isFor(call, "", "pods")) return;
    const affinity = objectAt(objectAt(objectAt(object, "spec"), "affinity"), "podAntiAffinity");
    for (const term of objectsAt(affinity, "requiredDuringSchedulingIgnoredDuringExecution")) {
      const key = stringAt(term, "topologyKey");
      if (key === hostname) continue;
      const why = `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${key} but only key ${hostname} is allowed`;
      throw notAdmitted(call, attempt, why);
    }
  },
};

const hostname = "kubernetes.io/hostname";
