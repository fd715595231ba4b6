import { isExtendedResource } from "#api/quota/usage.ts";
import { isFor } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { ensureObject, objectAt, objectsAt } from "#apiserver/objects/json.ts";

/** Nodes with rare devices are tainted with the device's name: pods that ask for one tolerate it. */
export const extendedResourceToleration: AdmissionPlugin = {
  name: "ExtendedResourceToleration",
  mutate(call, { operation, object }) {
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
    if (!isFor(call, "", "pods")) return;
    const spec = ensureObject(object, "spec");
    const containers = [...objectsAt(spec, "containers"), ...objectsAt(spec, "initContainers")];
    const names = new Set(
      containers.flatMap(({ resources }) =>
        Object.keys(objectAt({ resources: resources ?? {} }, "resources")["requests"] ?? {}),
      ),
    );
    const present = objectsAt(spec, "tolerations");
    const added = [...names]
      .filter((name) => isExtendedResource(name))
      .filter((name) => !present.some(({ key, effect }) => key === name && effect === "NoSchedule"))
      .toSorted()
      .map((key) => ({ key, operator: "Exists", effect: "NoSchedule" }));
    if (added.length > 0) spec.tolerations = [...present, ...added];
  },
};
