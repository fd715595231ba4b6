import type { JsonObject } from "#api/kind.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** Whether a volume of the pod needs a token for this audience: its own, or one for the driver that mounts it. */
export function isAudienceOf(call: Call, pod: JsonObject, audience: string): boolean {
  const namespace = stringAt(objectAt(pod, "metadata"), "namespace");
  return objectsAt(objectAt(pod, "spec"), "volumes").some((volume) => {
    if (isProjected(volume, audience)) return true;
    const driver = driverOf(call, pod, { volume, namespace });
    return driver !== "" && isAskedByDriver(call, driver, audience);
  });
}

/** A node may be allowed more audiences than its pods name. */
export async function mayRequestAudience(call: Call, audience: string): Promise<boolean> {
  const { user, server, info } = call;
  const decision = await server.authorizer.authorize({
    user,
    verb: "request-serviceaccounts-token-audience",
    isResource: true,
    group: "",
    version: "v1",
    resource: audience,
    subresource: "",
    namespace: info.namespace,
    name: info.name,
    path: "",
  });
  return decision.allowed;
}

function isProjected(volume: JsonObject, audience: string): boolean {
  return objectsAt(objectAt(volume, "projected"), "sources").some((source) => {
    const token = objectAt(source, "serviceAccountToken");
    return source.serviceAccountToken !== undefined && stringAt(token, "audience") === audience;
  });
}

interface Placed {
  readonly volume: JsonObject;
  readonly namespace: string;
}

/** The CSI driver of a volume, of its claim's volume; "" where there is none. */
function driverOf({ server }: Call, pod: JsonObject, { volume, namespace }: Placed): string {
  const own = stringAt(objectAt(volume, "csi"), "driver");
  if (own !== "") return own;
  const podName = stringAt(objectAt(pod, "metadata"), "name");
  const name =
    volume.ephemeral === undefined
      ? stringAt(objectAt(volume, "persistentVolumeClaim"), "claimName")
      : `${podName}-${stringAt(volume, "name")}`;
  if (name === "") return "";
  const claims = { group: "", resource: "persistentvolumeclaims" };
  const claim = lookUp(server, claims, { namespace, name });
  const volumeName = stringAt(objectAt(claim, "spec"), "volumeName");
  if (volumeName === "") return "";
  const volumes = { group: "", resource: "persistentvolumes" };
  const bound = lookUp(server, volumes, { name: volumeName });
  return stringAt(objectAt(objectAt(bound, "spec"), "csi"), "driver");
}

function isAskedByDriver({ server }: Call, name: string, audience: string): boolean {
  const driver = lookUp(server, { group: "storage.k8s.io", resource: "csidrivers" }, { name });
  const requests = objectsAt(objectAt(driver, "spec"), "tokenRequests");
  return requests.some((request) => stringAt(request, "audience") === audience);
}
