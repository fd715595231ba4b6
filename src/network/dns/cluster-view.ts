import type { EndpointSlice, Service } from "#api/generated/types.ts";
import { keyOf, parseKey } from "#api/meta.ts";
import { namespaces, services } from "#api/resources.ts";
import type { Informers } from "#client/informers.ts";
import { serviceKeyOf, sliceInformer, slicesAt, slicesOf } from "#network/service-slices.ts";

/** What cluster DNS knows of the cluster. */
export interface ClusterView {
  hasNamespace(name: string): boolean;
  service(namespace: string, name: string): Service | undefined;
  slices(service: Service): Iterable<EndpointSlice>;
  serviceWithIp(ip: string): Service | undefined;
  /** Endpoints with this address and the services they belong to. */
  slicesWithIp(ip: string): Iterable<{ readonly slice: EndpointSlice; readonly service: Service }>;
}

const ipIndex = "network/cluster-ip";

/** The view and a promise that settles when it is complete. */
export function createClusterView(informers: Informers): {
  readonly view: ClusterView;
  readonly synced: Promise<void>;
} {
  const byName = informers.of(services, { [ipIndex]: addresses });
  const slices = sliceInformer(informers);
  const spaces = informers.of(namespaces);
  const view: ClusterView = {
    hasNamespace: (name) => spaces.get({ name }) !== undefined,
    service: (namespace, name) => byName.get({ namespace, name }),
    slices: (service) => slicesOf(slices, keyOf(service)),
    serviceWithIp: (ip) => first(byName.byIndex(ipIndex, ip)),
    *slicesWithIp(ip) {
      for (const slice of slicesAt(slices, ip)) {
        const service = byName.get(parseKey(serviceKeyOf(slice) ?? ""));
        if (service) yield { slice, service };
      }
    },
  };
  const synced = Promise.all([byName.synced, slices.synced, spaces.synced]).then(() => {});
  return { view, synced };
}

function addresses(service: Service): readonly string[] {
  return service.spec?.clusterIPs ?? [];
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
