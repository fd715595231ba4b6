import type { Endpoint, EndpointSlice, Service, ServicePort } from "#api/generated/types.ts";
import { keyOf } from "#api/meta.ts";
import type { ServiceRule } from "#network/datapath.ts";

/** What the node called `nodeName` has to forward for a service. */
export function serviceRules(
  service: Service,
  slices: Iterable<EndpointSlice>,
  nodeName: string,
): readonly ServiceRule[] {
  const clusterIps = clusterIpsOf(service);
  if (clusterIps.length === 0 || service.spec?.type === "ExternalName") return [];
  const all = [...slices];
  return (service.spec?.ports ?? []).flatMap((port) =>
    portRules({ service, port, clusterIps, endpoints: endpointsOf(all, port), nodeName }),
  );
}

/** The addresses of a service; none when it is headless. */
export function clusterIpsOf(service: Service): readonly string[] {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  const all = clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
  return all.filter((ip) => ip !== "" && ip !== "None");
}

interface PortRules {
  readonly service: Service;
  readonly port: ServicePort;
  readonly clusterIps: readonly string[];
  readonly endpoints: readonly PortEndpoint[];
  readonly nodeName: string;
}

interface PortEndpoint {
  readonly endpoint: Endpoint;
  readonly ip: string;
  readonly port: number;
}

/** One rule; two when what comes from inside and from outside goes to different endpoints. */
function portRules({
  service,
  port,
  clusterIps,
  endpoints,
  nodeName,
}: PortRules): readonly ServiceRule[] {
  const { spec } = service;
  const local = endpoints.filter(({ endpoint }) => endpoint.nodeName === nodeName);
  const inside = usable(spec?.internalTrafficPolicy === "Local" ? local : endpoints);
  const outside = usable(spec?.externalTrafficPolicy === "Local" ? local : endpoints);
  const externalIps = externalIpsOf(service);
  const affinitySeconds = affinityOf(service);
  const common = {
    protocol: (port.protocol ?? "TCP") as ServiceRule["protocol"],
    port: port.port,
    ...(affinitySeconds !== undefined && { affinitySeconds }),
  };
  const nodePort = port.nodePort ? { nodePort: port.nodePort } : {};
  const name = `${keyOf(service)}:${port.name ?? port.port}`;
  if (samePlaces(inside, outside))
    return [{ ...common, name, clusterIps, externalIps, ...nodePort, endpoints: inside }];
  return [
    { ...common, name, clusterIps, externalIps: [], endpoints: inside },
    {
      ...common,
      name: `${name} (external)`,
      clusterIps: [],
      externalIps,
      ...nodePort,
      endpoints: outside,
    },
  ];
}

/** Endpoints of a port of the service, which a slice knows by the port's name. An endpoint's addresses are one place. */
function endpointsOf(slices: readonly EndpointSlice[], port: ServicePort): PortEndpoint[] {
  const found = new Map<string, PortEndpoint>();
  for (const slice of slices) {
    const target = slice.ports?.find(
      (one) =>
        (one.name ?? "") === (port.name ?? "") &&
        (one.protocol ?? "TCP") === (port.protocol ?? "TCP"),
    )?.port;
    if (target === undefined || slice.addressType === "FQDN") continue;
    for (const endpoint of slice.endpoints ?? []) {
      const [ip] = endpoint.addresses;
      if (ip !== undefined) found.set(`${ip} ${target}`, { endpoint, ip, port: target });
    }
  }
  return [...found.values()];
}

/** Ready ones; else those that end but still serve (KEP-1669). In a fixed order, so that equal states compare equal. */
function usable(endpoints: readonly PortEndpoint[]): ServiceRule["endpoints"] {
  const ready = endpoints.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const ending = endpoints.filter(
    ({ endpoint: { conditions } }) => conditions?.serving && conditions.terminating,
  );
  return (ready.length > 0 ? ready : ending)
    .map(({ ip, port }) => ({ ip, port }))
    .toSorted((one, other) => (`${one.ip} ${one.port}` < `${other.ip} ${other.port}` ? -1 : 1));
}

function externalIpsOf(service: Service): readonly string[] {
  const balanced = (service.status?.loadBalancer?.ingress ?? [])
    .filter((ingress) => ingress.ipMode !== "Proxy")
    .flatMap((ingress) => ingress.ip ?? []);
  return [...new Set([...(service.spec?.externalIPs ?? []), ...balanced])];
}

/** Upstream's default: three hours. */
const affinitySecondsDefault = 10_800;

function affinityOf({ spec }: Service): number | undefined {
  if (spec?.sessionAffinity !== "ClientIP") return undefined;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinitySecondsDefault;
}

function samePlaces(one: ServiceRule["endpoints"], other: ServiceRule["endpoints"]): boolean {
  return (
    one.length === other.length &&
    one.every(({ ip, port }, index) => ip === other[index]?.ip && port === other[index]?.port)
  );
}
