import type { Endpoint, EndpointSlice, Service } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";

/** Somewhere a service can be reached. */
export interface Place {
  readonly ip: string;
  readonly ports: readonly {
    readonly name: string;
    readonly protocol: string;
    readonly port: number;
  }[];
  /** The endpoint's own label; "" for a service's address. */
  readonly host: string;
  /** The name below `svc.cluster.local` that leads to just this place. */
  readonly fullHost?: string;
}

export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === "None";
}

/** The addresses of a service that has its own. */
export function servicePlaces(service: Service): readonly Place[] {
  const { clusterIP, clusterIPs, ports = [] } = service.spec ?? {};
  return (clusterIPs ?? (clusterIP ? [clusterIP] : [])).map((ip) => ({
    ip,
    ports: ports.map(({ name = "", protocol = "TCP", port }) => ({ name, protocol, port })),
    host: "",
    fullHost: `${nameOf(service)}.${namespaceOf(service)}`,
  }));
}

/** The endpoints that are ready, or whose readiness does not matter to the service. */
export function endpointPlaces(
  service: Service,
  slices: Iterable<EndpointSlice>,
): readonly Place[] {
  const everyone = service.spec?.publishNotReadyAddresses === true;
  const places = new Map<string, Place>();
  for (const slice of slices) {
    const ports = (slice.ports ?? []).flatMap(({ name = "", protocol = "TCP", port }) =>
      port === undefined ? [] : [{ name, protocol, port }],
    );
    for (const endpoint of slice.endpoints ?? []) {
      if (!everyone && endpoint.conditions?.ready === false) continue;
      for (const ip of endpoint.addresses) {
        const host = endpointName(endpoint, ip);
        const fullHost = `${host}.${nameOf(service)}.${namespaceOf(service)}`;
        const known = places.get(`${host} ${ip}`)?.ports ?? [];
        places.set(`${host} ${ip}`, { ip, ports: [...known, ...ports], host, fullHost });
      }
    }
  }
  return [...places.values()];
}

/** The pod's hostname where it has one, else its address with dashes. */
export function endpointName(endpoint: Endpoint, ip: string): string {
  return (endpoint.hostname || ip.replaceAll(/[.:]/g, "-")).toLowerCase();
}
