import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";

/** The endpoints of `default/kubernetes` in both forms; none when the server has no address that pods can reach. */
export function apiServerEndpoints({ serviceNetwork }: ApiServerParts): readonly FirstObject[] {
  const address = serviceNetwork.apiServerAddress;
  if (address === undefined) return [];
  const ports = [{ name: "https", port: address.port, protocol: "TCP" }];
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: [{ addresses: [{ ip: address.ip }], ports }],
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
    endpoints: [{ addresses: [address.ip], conditions: { ready: true } }],
    ports,
  };
  return [
    { group: "", version: "v1", resource: "endpoints", object: endpoints },
    { group: "discovery.k8s.io", version: "v1", resource: "endpointslices", object: slice },
  ];
}
