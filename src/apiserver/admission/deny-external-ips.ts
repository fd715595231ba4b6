import { isFor, notAdmitted } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { objectAt, stringsAt } from "#apiserver/objects/json.ts";

/** No service takes an external address that it did not have before. */
export const denyExternalIps: AdmissionPlugin = {
  name: "DenyServiceExternalIPs",
  validate(call, attempt) {
    const { operation, object, old } = attempt;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    if (!isFor(call, "", "services")) return;
    const before = stringsAt(objectAt(old, "spec"), "externalIPs");
    const added = stringsAt(objectAt(object, "spec"), "externalIPs").some(
      (address) => !before.includes(address),
    );
    if (added)
      throw notAdmitted(call, attempt, "Use of external IPs is denied by admission control");
  },
};
