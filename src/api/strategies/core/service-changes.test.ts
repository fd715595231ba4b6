import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Service, ServiceSpec } from "#api/generated/types.ts";
import type { Filling } from "#api/validation/given.ts";
import { serviceStrategy } from "#api/strategies/core/service.ts";

const addresses = {
  clusterIP: "10.0.0.1",
  clusterIPs: ["10.0.0.1"],
  ipFamilies: ["IPv4"],
  ipFamilyPolicy: "SingleStack",
} as const;
const internal = { internalTrafficPolicy: "Cluster" } as const;
const port = { name: "http", port: 80, protocol: "TCP", targetPort: 80 } as const;
const onNodes = {
  ...addresses,
  ...internal,
  type: "NodePort",
  externalTrafficPolicy: "Cluster",
  ports: [{ ...port, nodePort: 30_001 }],
} as const;
const balanced = {
  ...onNodes,
  type: "LoadBalancer",
  externalTrafficPolicy: "Local",
  healthCheckNodePort: 30_002,
  allocateLoadBalancerNodePorts: true,
  loadBalancerClass: "x/y",
} as const;

type Spec = Partial<ServiceSpec>;

const changes: Readonly<
  Record<string, { readonly before: Spec; readonly given: Spec; readonly becomes: Spec }>
> = {
  "a name outside needs nothing of what was given": {
    before: onNodes,
    given: { ...onNodes, type: "ExternalName", externalName: "example.com" },
    becomes: { ...internal, type: "ExternalName", externalName: "example.com", ports: [port] },
  },
  "what a replacing client leaves out is what it was": {
    before: onNodes,
    given: { type: "NodePort", ports: [{ ...port, targetPort: 8080 }] },
    becomes: {
      ...addresses,
      type: "NodePort",
      ports: [{ ...port, targetPort: 8080, nodePort: 30_001 }],
    },
  },
  "a service that is balanced no more gives back all that was for it": {
    before: balanced,
    given: { ...balanced, type: "ClusterIP" },
    becomes: { ...addresses, ...internal, type: "ClusterIP", ports: [port] },
  },
  "one with addresses of its own is still reached from outside": {
    before: onNodes,
    given: { ...onNodes, type: "ClusterIP", externalIPs: ["192.0.2.1"] },
    becomes: {
      ...addresses,
      ...internal,
      type: "ClusterIP",
      externalIPs: ["192.0.2.1"],
      externalTrafficPolicy: "Cluster",
      ports: [port],
    },
  },
  "what the client changed too stays, to be refused": {
    before: onNodes,
    given: {
      ...onNodes,
      type: "ExternalName",
      clusterIP: "10.0.0.2",
      externalTrafficPolicy: "Local",
      ports: [{ ...port, nodePort: 30_009 }],
    },
    becomes: {
      ...internal,
      type: "ExternalName",
      clusterIP: "10.0.0.2",
      clusterIPs: ["10.0.0.1"],
      externalTrafficPolicy: "Local",
      ports: [{ ...port, nodePort: 30_009 }],
    },
  },
};

for (const [name, { before, given, becomes }] of Object.entries(changes)) {
  test(`a service changes its type: ${name}`, () => {
    const service = structuredClone({
      spec: given,
      status: status(),
    }) as unknown as Filling<Service>;
    const old = structuredClone({ spec: before, status: status() });
    serviceStrategy.prepareForUpdate?.(service as never, old as never);
    deepEqual(service.spec, becomes);
    const ingress = becomes.type === "LoadBalancer" ? status().loadBalancer : {};
    deepEqual(service.status?.loadBalancer, ingress);
  });
}

function status() {
  return { loadBalancer: { ingress: [{ ip: "192.0.2.7" }] } };
}
