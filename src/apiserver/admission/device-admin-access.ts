import type {
  DeviceRequest,
  ResourceClaimTemplate,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { invalid } from "#api/status.ts";
import { causesOf } from "#api/validation/field.ts";
import { isFor, type AdmissionFunction } from "#apiserver/admission/admission.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

const label = "resource.kubernetes.io/admin-access";

/** Administrators' access to devices that others use is for namespaces that are labelled so. */
export const deviceAdminAccess: AdmissionFunction = (call, { operation, object }) => {
  if (operation !== "CREATE" || object === undefined) return;
  const isTemplate = isFor(call, group, "resourceclaimtemplates");
  if (!isTemplate && !isFor(call, group, "resourceclaims")) return;
  const { spec } = object as unknown as ResourceClaim;
  const devices = isTemplate
    ? (object as unknown as ResourceClaimTemplate).spec.spec.devices
    : spec.devices;
  const index = (devices?.requests ?? []).findIndex(asksForIt);
  if (index < 0) return;
  const { kind, info, server } = call;
  const namespace = lookUp(server, { group: "", resource: "namespaces" }, { name: info.namespace });
  const labels = objectAt(objectAt(namespace, "metadata"), "labels");
  if (labels[label] === "true") return;
  const causes = causesOf((root) => {
    const field = root.child("spec", "devices", "requests").index(index).child("adminAccess");
    const rule = `requires the \`${label}: true\` label on the containing namespace`;
    field.forbidden(`admin access to devices ${rule}`);
  });
  throw invalid(kind, stringAt(objectAt(object, "metadata"), "name"), causes);
};

const group = "resource.k8s.io";

function asksForIt({ exactly }: DeviceRequest): boolean {
  return exactly?.adminAccess ?? false;
}
