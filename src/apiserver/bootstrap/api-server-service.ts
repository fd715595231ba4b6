import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";

/** Where pods reach an API server. */
export interface ServerAddress {
  readonly ip: string;
  readonly port: number;
}

/**
 * The endpoints of `default/kubernetes` in both forms; none when no server has an address that pods can reach. A
 * slice has one port for all its addresses: servers on other ports than the first one's are only in `Endpoints`.
 */
export function apiServerEndpoints(servers: readonly ServerAddress[]): readonly FirstObject[] {
  const [first] = servers;
  if (first === undefined) return [];
  const ports = [...new Set(servers.map(({ port }) => port))];
  const onPort = (port: number): readonly string[] =>
    servers.filter((server) => server.port === port).map(({ ip }) => ip);
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: ports.map((port) => ({
      addresses: onPort(port).map((ip) => ({ ip })),
      ports: portsOf(port),
    })),
  };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "kubernetes.io/service-name": "kubernetes" },
    },
    addressType: "IPv4",
    endpoints: onPort(first.port).map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    ports: portsOf(first.port),
  };
  return [
    { group: "", version: "v1", resource: "endpoints", object: endpoints },
    { group: "discovery.k8s.io", version: "v1", resource: "endpointslices", object: slice },
  ];
}

function portsOf(port: number) {
  return [{ name: "https", port, protocol: "TCP" }];
}
