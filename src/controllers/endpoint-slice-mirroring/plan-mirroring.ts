import type {
  CoreV1EndpointPort,
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointAddress,
  Endpoints,
  EndpointSlice,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { endpoints as endpointsResource } from "#api/resources.ts";
import { canonicalJson, sameJson } from "#controllers/same-json.ts";
import { controllerRefTo } from "#reconcile/owners.ts";
import type { SlicePlan } from "#controllers/endpoint-slice/plan-endpoint-slices.ts";
import { isIpv6 } from "#controllers/service-pods/service-pods.ts";

export const mirroredBy = "endpointslicemirroring-controller.k8s.io";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const serviceNameLabel = "kubernetes.io/service-name";
export const skipMirrorLabel = "endpointslice.kubernetes.io/skip-mirror";

/** As upstream: more addresses of one subset are left out. */
const addressesMax = 1000;
const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "endpoints.kubernetes.io/last-change-trigger-time",
]);

/** Whether Endpoints are somebody's own, and so are to be mirrored. */
export function isMirrored({ metadata }: Endpoints): boolean {
  const { labels = {}, annotations = {} } = metadata;
  if (labels[skipMirrorLabel] === "true") return false;
  if (labels["endpoints.kubernetes.io/managed-by"] === "endpoint-controller") return false;
  return annotations["control-plane.alpha.kubernetes.io/leader"] === undefined;
}

/** The slices of Endpoints made by hand: one for each set of ports and family, and what to change to have them. */
export function planMirroring(object: Endpoints, slices: readonly EndpointSlice[]): SlicePlan {
  const wanted = wantedSlices(object);
  const free = [...slices];
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  for (const slice of wanted) {
    const at = free.findIndex((one) => keyOf(one) === keyOf(slice));
    const [known] = at < 0 ? [] : free.splice(at, 1);
    if (known === undefined) create.push(slice);
    else {
      const next = { ...slice, metadata: { ...slice.metadata, ...identityOf(known) } };
      if (!sameJson(next, known)) update.push(next);
    }
  }
  return { create, update, delete: free };
}

function identityOf({ metadata }: EndpointSlice) {
  const { name, uid, resourceVersion, creationTimestamp, generation, generateName } = metadata;
  return {
    ...(name && { name }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
    ...(creationTimestamp && { creationTimestamp }),
    ...(generation && { generation }),
    ...(generateName && { generateName }),
  };
}

function keyOf({ addressType, ports = [] }: EndpointSlice): string {
  return `${addressType} ${canonicalJson(ports)}`;
}

function wantedSlices(object: Endpoints): readonly EndpointSlice[] {
  const slices = new Map<string, EndpointSlice & { endpoints: Endpoint[] }>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of object.subsets ?? []) {
    const all = [
      ...addresses.map((address) => endpointOf(address, true)),
      ...notReadyAddresses.map((address) => endpointOf(address, false)),
    ].slice(0, addressesMax);
    for (const endpoint of all) {
      const addressType = isIpv6(endpoint.addresses[0] ?? "") ? "IPv6" : "IPv4";
      const slice = sliceOf(object, addressType, ports.map(portOf));
      const known = slices.get(keyOf(slice)) ?? { ...slice, endpoints: [] };
      slices.set(keyOf(slice), known);
      known.endpoints.push(endpoint);
    }
  }
  return [...slices.values()];
}

function endpointOf(
  { ip, hostname, nodeName, targetRef }: EndpointAddress,
  ready: boolean,
): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(targetRef && { targetRef }),
    ...(nodeName && { nodeName }),
  };
}

function portOf(port: CoreV1EndpointPort): DiscoveryV1EndpointPort {
  const { name = "", port: number, protocol = "TCP", appProtocol } = port;
  return { name, port: number, protocol, ...(appProtocol && { appProtocol }) };
}

function sliceOf(
  object: Endpoints,
  addressType: "IPv4" | "IPv6",
  ports: readonly DiscoveryV1EndpointPort[],
): EndpointSlice {
  const { labels = {}, annotations = {} } = object.metadata;
  const copied = Object.entries(annotations).filter(([name]) => !notCopied.has(name));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${nameOf(object)}-`,
      namespace: namespaceOf(object),
      labels: { ...labels, [serviceNameLabel]: nameOf(object), [managedByLabel]: mirroredBy },
      ...(copied.length > 0 && { annotations: Object.fromEntries(copied) }),
      ownerReferences: [controllerRefTo(endpointsResource, object)],
    },
    addressType,
    ports,
    endpoints: [],
  };
}
