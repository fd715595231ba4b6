import { isFor } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { ensureObject, objectsAt } from "#apiserver/objects/json.ts";

/** A new node takes no pods before it was seen ready once. */
export const nodeTaint: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  mutate(call, { operation, object }) {
    if (operation !== "CREATE" || object === undefined || !isFor(call, "", "nodes")) return;
    const spec = ensureObject(object, "spec");
    const taints = objectsAt(spec, "taints");
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect))
      return;
    spec.taints = [...taints, { ...notReady }];
  },
};

const notReady = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };
