import type {
  CoreV1EndpointPort,
  EndpointAddress,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { isPodReady } from "#controllers/pods/pod-state.ts";
import {
  addressesOf,
  hostnameIn,
  isHeadless,
  isIpv6,
  podsOfService,
  targetPortOf,
  targetRefOf,
} from "#controllers/service-pods/service-pods.ts";

/** The Endpoints that a service with a selector should have. */
export function planEndpoints(
  service: Service,
  pods: Iterable<Pod>,
  current: Endpoints | undefined,
): Endpoints {
  const { [headlessLabel]: _headless, ...labels } = service.metadata.labels ?? {};
  const { subsets, truncated } = limited(subsetsOf(service, pods));
  const { [overCapacity]: _over, ...annotations } = current?.metadata.annotations ?? {};
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      ...current?.metadata,
      name: nameOf(service),
      namespace: namespaceOf(service),
      labels: {
        ...labels,
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        ...(isHeadless(service) && { [headlessLabel]: "" }),
      },
      annotations: { ...annotations, ...(truncated && { [overCapacity]: "truncated" }) },
    },
    ...(subsets.length > 0 && { subsets }),
  };
}

const headlessLabel = "service.kubernetes.io/headless";
const overCapacity = "endpoints.kubernetes.io/over-capacity";
/** Upstream's limit of addresses in one object. */
const addressesMax = 1000;

/** Addresses with the same ports stand together, sorted, so that the same pods always give the same object. */
function subsetsOf(service: Service, pods: Iterable<Pod>): readonly EndpointSubset[] {
  const publishUnready = service.spec?.publishNotReadyAddresses ?? false;
  const groups = new Map<string, Group>();
  for (const pod of podsOfService(service, pods, { terminating: publishUnready })) {
    const ports = portsOf(service, pod);
    if (ports === undefined) continue;
    const address = addressOf(service, pod);
    if (address === undefined) continue;
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, ready: [], unready: [] };
    groups.set(key, group);
    (publishUnready || isPodReady(pod) ? group.ready : group.unready).push(address);
  }
  const sorted = [...groups].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return sorted.map(([, { ports, ready, unready }]) => ({
    ...(ready.length > 0 && { addresses: ready.toSorted(byAddress) }),
    ...(unready.length > 0 && { notReadyAddresses: unready.toSorted(byAddress) }),
    ...(ports.length > 0 && { ports }),
  }));
}

interface Group {
  readonly ports: readonly CoreV1EndpointPort[];
  readonly ready: EndpointAddress[];
  readonly unready: EndpointAddress[];
}

/** Undefined when the service has ports and the pod none of them. */
function portsOf(service: Service, pod: Pod): readonly CoreV1EndpointPort[] | undefined {
  const wanted = service.spec?.ports ?? [];
  if (wanted.length === 0) return isHeadless(service) ? [] : undefined;
  const ports = wanted.flatMap((port): CoreV1EndpointPort[] => {
    const number = targetPortOf(pod, port);
    if (number === undefined) return [];
    const { name, protocol = "TCP", appProtocol } = port;
    const extra = { ...(name && { name }), ...(appProtocol && { appProtocol }) };
    return [{ ...extra, port: number, protocol }];
  });
  return ports.length === 0 ? undefined : ports;
}

function addressOf(service: Service, pod: Pod): EndpointAddress | undefined {
  const sixth = service.spec?.ipFamilies?.[0] === "IPv6";
  const ip = addressesOf(pod).find((address) => isIpv6(address) === sixth);
  if (ip === undefined) return undefined;
  const hostname = hostnameIn(service, pod);
  const nodeName = pod.spec?.nodeName;
  return {
    ip,
    ...(nodeName && { nodeName }),
    targetRef: targetRefOf(pod),
    ...(hostname && { hostname }),
  };
}

function byAddress(one: EndpointAddress, other: EndpointAddress): number {
  if (one.ip !== other.ip) return one.ip < other.ip ? -1 : 1;
  return (one.targetRef?.uid ?? "") < (other.targetRef?.uid ?? "") ? -1 : 1;
}

/** Ready addresses stay before those that are not. */
function limited(subsets: readonly EndpointSubset[]): {
  readonly subsets: readonly EndpointSubset[];
  readonly truncated: boolean;
} {
  const count = (list: readonly unknown[] | undefined): number => list?.length ?? 0;
  const total = subsets.reduce(
    (sum, subset) => sum + count(subset.addresses) + count(subset.notReadyAddresses),
    0,
  );
  if (total <= addressesMax) return { subsets, truncated: false };
  let left = addressesMax;
  const take = <T>(list: readonly T[] | undefined): readonly T[] => {
    const taken = (list ?? []).slice(0, left);
    left -= taken.length;
    return taken;
  };
  const ready = subsets.map((subset) => take(subset.addresses));
  const unready = subsets.map((subset) => take(subset.notReadyAddresses));
  const cut = subsets.map(({ ports }, index) => ({
    ...(count(ready[index]) > 0 && { addresses: ready[index] }),
    ...(count(unready[index]) > 0 && { notReadyAddresses: unready[index] }),
    ...(ports && { ports }),
  }));
  const full = cut.filter((subset) => subset.addresses || subset.notReadyAddresses);
  return { subsets: full, truncated: true };
}
