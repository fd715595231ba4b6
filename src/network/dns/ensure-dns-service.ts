import type { EndpointSlice, Service } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { endpointSlices, services } from "#api/resources.ts";
import { isAlreadyExists, isConflict, isNotFound } from "#api/status.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { serviceNameLabel } from "#network/service-slices.ts";

export interface DnsServiceOptions {
  readonly client: Client;
  /** The tenth address of the service range. */
  readonly clusterIp: string;
  /** Where DNS is served. */
  readonly endpoint: { readonly ip: string; readonly port: number };
  readonly log: Log;
}

const at = { namespace: "kube-system", name: "kube-dns" };
const sliceName = "kube-dns-kogge";
const attemptsMax = 5;

/**
 * Makes `kube-system/kube-dns` lead to the server. A service of that name with a selector belongs to somebody who runs
 * a DNS of their own, and is left alone.
 */
export async function ensureDnsService(options: DnsServiceOptions): Promise<void> {
  const { client, log } = options;
  if (!(await isOurs(options))) {
    log.info("kube-dns has a selector: another DNS serves the cluster", at);
    return;
  }
  const slice = dnsSlice(options.endpoint);
  await ensure(client, endpointSlices, slice, (known) => ({
    ...known,
    endpoints: slice.endpoints ?? [],
    ports: slice.ports ?? [],
  }));
}

/** Makes the service alone: each node that serves DNS then answers at its address for its own pods. */
export async function ensureDnsAddress(
  options: Omit<DnsServiceOptions, "endpoint">,
): Promise<void> {
  await isOurs(options);
}

/** Whether a service of that name leads to DNS of the nodes, and not to somebody's own. */
export function isServedByNodes(service: Service): boolean {
  const { name, namespace } = service.metadata;
  return name === at.name && namespace === at.namespace && service.spec?.selector === undefined;
}

async function isOurs(options: Omit<DnsServiceOptions, "endpoint">): Promise<boolean> {
  const { client } = options;
  const present = await ensure(client, services, serviceOf(options.clusterIp), (known) =>
    known.spec?.selector === undefined && known.spec?.clusterIP === options.clusterIp
      ? known
      : undefined,
  );
  if (present.spec?.selector !== undefined) return false;
  if (present.spec?.clusterIP !== options.clusterIp) {
    throw new Error(
      `Cannot serve DNS at ${options.clusterIp}: service "kube-system/kube-dns" has the address ${present.spec?.clusterIP}`,
    );
  }
  return true;
}

/** Creates the object, or updates it to what `change` makes of it; undefined and no difference leave it as it is. */
async function ensure<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  wanted: T,
  change: (known: T) => T | undefined,
): Promise<T> {
  const name = { namespace: at.namespace, name: wanted.metadata.name ?? "" };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const known = await client.get(resource, name);
      const changed = change(known);
      if (changed === undefined || JSON.stringify(changed) === JSON.stringify(known)) return known;
      return await client.update(resource, changed);
    } catch (error) {
      if (!isNotFound(error) && !(isConflict(error) && attempt < attemptsMax)) throw error;
      if (isConflict(error)) continue;
    }
    try {
      return await client.create(resource, wanted);
    } catch (error) {
      // Another node was first.
      if (!isAlreadyExists(error) || attempt === attemptsMax) throw error;
    }
  }
}

function serviceOf(clusterIp: string): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...at,
      labels: {
        "k8s-app": "kube-dns",
        "kubernetes.io/cluster-service": "true",
        "kubernetes.io/name": "CoreDNS",
      },
    },
    spec: {
      clusterIP: clusterIp,
      ports: [
        { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
        { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
      ],
    },
  };
}

/** The endpoints of DNS when it is served there. */
export function dnsSlice({ ip, port }: DnsServiceOptions["endpoint"]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace: at.namespace,
      name: sliceName,
      labels: {
        [serviceNameLabel]: at.name,
        "endpointslice.kubernetes.io/managed-by": "kogge.dev",
      },
    },
    addressType: "IPv4",
    endpoints: [
      { addresses: [ip], conditions: { ready: true, serving: true, terminating: false } },
    ],
    ports: [
      { name: "dns", port, protocol: "UDP" },
      { name: "dns-tcp", port, protocol: "TCP" },
    ],
  };
}
