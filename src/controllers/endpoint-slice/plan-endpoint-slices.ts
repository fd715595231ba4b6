import type {
  DiscoveryV1EndpointPort,
  Endpoint,
  EndpointHints,
  EndpointSlice,
  Pod,
  Service,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { services } from "#api/resources.ts";
import { isPodReady } from "#controllers/pods/pod-state.ts";
import { canonicalJson, sameJson } from "#controllers/same-json.ts";
import {
  addressesOf,
  hostnameIn,
  isHeadless,
  isIpv6,
  podsOfService,
  targetPortOf,
  targetRefOf,
} from "#controllers/service-pods/service-pods.ts";
import {
  dealHints,
  wantsTopologyHints,
  type ZoneShares,
} from "#controllers/endpoint-slice/topology-hints.ts";
import type { RecordedEvent } from "#reconcile/event-recorder.ts";
import { controllerRefTo } from "#reconcile/owners.ts";

export interface ObservedSlices {
  readonly service: Service;
  /** Of the service's namespace. */
  readonly pods: Iterable<Pod>;
  /** The service's slices that this controller made. */
  readonly slices: readonly EndpointSlice[];
  /** The zone of a node, where it has one. */
  readonly zoneOf: (nodeName: string) => string | undefined;
  /** How the nodes' CPU is spread over zones: asked only for services whose endpoints are dealt to zones. */
  readonly zoneShares?: () => ZoneShares;
}

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
  /** To be said of the service. */
  readonly events?: readonly RecordedEvent[];
}

/** Upstream's default: one slice holds at most a hundred endpoints. */
const endpointsMax = 100;

/**
 * What to change so that the slices hold the service's endpoints. Endpoints stay in the slice they are in, new ones
 * fill up slices that change anyway, and only what is left over touches or makes another: few writes, small events.
 */
export function planEndpointSlices(observed: ObservedSlices): SlicePlan {
  const plans = familiesOf(observed.service).map((family) => planFamily(observed, family));
  const families = new Set<string>(familiesOf(observed.service));
  const strays = observed.slices.filter((slice) => !families.has(slice.addressType));
  return {
    create: plans.flatMap((plan) => plan.create),
    update: plans.flatMap((plan) => plan.update),
    delete: [...strays, ...plans.flatMap((plan) => plan.delete)],
    ...eventsOf(plans),
  };
}

function eventsOf(plans: readonly SlicePlan[]): Pick<SlicePlan, "events"> {
  const events = plans.flatMap((plan) => plan.events ?? []);
  return events.length === 0 ? {} : { events };
}

export const managedBy = "endpointslice-controller.k8s.io";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const serviceNameLabel = "kubernetes.io/service-name";
const headlessLabel = "service.kubernetes.io/headless";

type Family = "IPv4" | "IPv6";

function familiesOf(service: Service): readonly Family[] {
  const families = (service.spec?.ipFamilies ?? []) as readonly Family[];
  return families.length === 0 ? ["IPv4"] : families;
}

function planFamily(observed: ObservedSlices, family: Family): SlicePlan {
  const { service } = observed;
  const current = observed.slices.filter((slice) => slice.addressType === family);
  const { wanted, events } = withTopology(observed, family, current);
  const byPorts = Map.groupBy(current, (slice) => canonicalJson(slice.ports ?? []));
  const plans = [...wanted].map(([key, group]) => fill(service, group, byPorts.get(key) ?? []));
  const stale = [...byPorts].flatMap(([key, slices]) => (wanted.has(key) ? [] : slices));
  const made: SlicePlan = {
    create: plans.flatMap((plan) => plan.create),
    update: plans.flatMap((plan) => plan.update),
    delete: [...stale, ...plans.flatMap((plan) => plan.delete)],
  };
  return { ...(wanted.size > 0 ? made : placeholder(service, family, current)), events };
}

/** The wanted endpoints, dealt to zones where the service asks for that. */
function withTopology(
  observed: ObservedSlices,
  family: Family,
  current: readonly EndpointSlice[],
): { readonly wanted: Map<string, Group>; readonly events: readonly RecordedEvent[] } {
  const wanted = wantedByPorts(observed, family);
  const hadHints = current.some(({ endpoints }) => endpoints?.some(({ hints }) => hints));
  const say = (type: "Normal" | "Warning", what: string, message: string): RecordedEvent[] => [
    { type, reason: `TopologyAwareHints${what}`, message: `${message}, addressType: ${family}` },
  ];
  if (!wantsTopologyHints(observed.service)) {
    const ended = hadHints && !observed.service.spec?.trafficDistribution;
    const text = "Topology Aware Hints has been disabled";
    return { wanted, events: ended ? say("Warning", "Disabled", text) : [] };
  }
  const all = [...wanted.values()].flatMap(({ endpoints }) => endpoints);
  const sorted = all.toSorted((one, other) => (identityOf(one) < identityOf(other) ? -1 : 1));
  const dealt = dealHints(sorted, observed.zoneShares?.());
  if (dealt.kind === "none") return { wanted, events: say("Warning", "Disabled", dealt.problem) };
  const hinted = (endpoint: Endpoint): Endpoint => {
    const zone = dealt.zones.get(endpoint);
    return zone === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name: zone }] } };
  };
  for (const [key, group] of wanted) {
    wanted.set(key, { ...group, endpoints: group.endpoints.map(hinted) });
  }
  const text = "Topology Aware Hints has been enabled";
  return { wanted, events: hadHints ? [] : say("Normal", "Enabled", text) };
}

/** A service without endpoints has one empty slice, which says that somebody looked. */
function placeholder(
  service: Service,
  family: Family,
  current: readonly EndpointSlice[],
): SlicePlan {
  const [first, ...rest] = current;
  const empty = sliceOf(service, { family, ports: [], endpoints: [] }, first);
  if (first === undefined) return { create: [empty], update: [], delete: [] };
  const update = sameJson(empty, first) ? [] : [empty];
  return { create: [], update, delete: rest };
}

interface Group {
  readonly family: Family;
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** Endpoints by the ports they have: pods may give a named port different numbers. */
function wantedByPorts(observed: ObservedSlices, family: Family): Map<string, Group> {
  const { service } = observed;
  const groups = new Map<
    string,
    { family: Family; ports: Group["ports"]; endpoints: Endpoint[] }
  >();
  for (const pod of podsOfService(service, observed.pods, { terminating: true })) {
    const addresses = addressesOf(pod).filter((ip) => isIpv6(ip) === (family === "IPv6"));
    if (addresses.length === 0) continue;
    const ports = portsOf(service, pod);
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { family, ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(observed, pod, addresses));
  }
  return groups;
}

function portsOf(service: Service, pod: Pod): readonly DiscoveryV1EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol && { appProtocol }) }];
  });
}

function endpointOf(
  { service, zoneOf }: ObservedSlices,
  pod: Pod,
  addresses: readonly string[],
): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const nodeName = pod.spec?.nodeName;
  const zone = nodeName ? zoneOf(nodeName) : undefined;
  const hostname = hostnameIn(service, pod);
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hints = ready ? hintsOf(service, { nodeName, zone }) : undefined;
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname && { hostname }),
    targetRef: targetRefOf(pod),
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    ...(hints && { hints }),
  };
}

/** For whom an endpoint is meant first, as the service's `trafficDistribution` wants it. */
function hintsOf(
  service: Service,
  { nodeName, zone }: { readonly nodeName: string | undefined; readonly zone: string | undefined },
): EndpointHints | undefined {
  if (wantsTopologyHints(service)) return undefined;
  const distribution = service.spec?.trafficDistribution ?? "";
  if (!["PreferClose", "PreferSameZone", "PreferSameNode"].includes(distribution)) return undefined;
  const forNodes = distribution === "PreferSameNode" && nodeName ? [{ name: nodeName }] : undefined;
  if (zone === undefined && forNodes === undefined) return undefined;
  return { ...(zone && { forZones: [{ name: zone }] }), ...(forNodes && { forNodes }) };
}

function fill(service: Service, group: Group, current: readonly EndpointSlice[]): SlicePlan {
  const missing = new Map(group.endpoints.map((endpoint) => [identityOf(endpoint), endpoint]));
  const kept = current.map((slice) => keepWanted(slice, missing));
  const rest = [...missing.values()];
  for (const entry of kept) if (entry.changed) topUp(entry, rest);
  const roomy = kept
    .filter((entry) => !entry.changed && entry.endpoints.length + rest.length <= endpointsMax)
    .toSorted((one, other) => other.endpoints.length - one.endpoints.length)[0];
  if (roomy && rest.length > 0 && rest.length < endpointsMax) topUp(roomy, rest);
  const create: EndpointSlice[] = [];
  while (rest.length > 0) {
    create.push(sliceOf(service, { ...group, endpoints: rest.splice(0, endpointsMax) }));
  }
  const emptied = kept.filter((entry) => entry.endpoints.length === 0);
  const update = kept
    .filter((entry) => entry.endpoints.length > 0)
    .map(({ slice, endpoints }) => ({
      slice,
      next: sliceOf(service, { ...group, endpoints }, slice),
    }))
    .filter(({ slice, next }) => !sameJson(slice, next))
    .map(({ next }) => next);
  return { create, update, delete: emptied.map((entry) => entry.slice) };
}

interface Kept {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
  changed: boolean;
}

/** Takes from `missing` what the slice has already. */
function keepWanted(slice: EndpointSlice, missing: Map<string, Endpoint>): Kept {
  const endpoints: Endpoint[] = [];
  let changed = false;
  for (const endpoint of slice.endpoints ?? []) {
    const wanted = missing.get(identityOf(endpoint));
    missing.delete(identityOf(endpoint));
    if (wanted) endpoints.push(wanted);
    if (!wanted || !sameJson(wanted, endpoint)) changed = true;
  }
  return { slice, endpoints, changed };
}

function topUp(entry: Kept, rest: Endpoint[]): void {
  entry.endpoints.push(...rest.splice(0, endpointsMax - entry.endpoints.length));
  entry.changed = true;
}

function identityOf({ targetRef, addresses }: Endpoint): string {
  return `${targetRef?.uid ?? ""} ${addresses.join(",")}`;
}

function sliceOf(service: Service, group: Group, current?: EndpointSlice): EndpointSlice {
  const { [headlessLabel]: _headless, ...labels } = service.metadata.labels ?? {};
  const { name, ...identity } = current?.metadata ?? {};
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      ...identity,
      ...(name ? { name } : { generateName: `${nameOf(service)}-` }),
      namespace: namespaceOf(service),
      labels: {
        ...labels,
        [managedByLabel]: managedBy,
        [serviceNameLabel]: nameOf(service),
        ...(isHeadless(service) && { [headlessLabel]: "" }),
      },
      ownerReferences: [controllerRefTo(services, service)],
    },
    addressType: group.family,
    endpoints: group.endpoints,
    ports: group.ports,
  };
}
