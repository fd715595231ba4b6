import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint, EndpointSlice, Pod, Service } from "#api/generated/types.ts";
import { hostPortRules } from "#network/proxy/host-ports.ts";
import { serviceRules } from "#network/proxy/service-rules.ts";

type Spec = NonNullable<Service["spec"]>;

const basic: Spec = {
  clusterIP: "10.96.0.80",
  clusterIPs: ["10.96.0.80"],
  ports: [{ name: "http", port: 80, nodePort: 30_080, protocol: "TCP" }],
};
const ready = (ip: string, nodeName = "here"): Endpoint => ({ addresses: [ip], nodeName });
const ending = (ip: string, serving: boolean): Endpoint => ({
  addresses: [ip],
  nodeName: "here",
  conditions: { ready: false, serving, terminating: true },
});
const unready: Endpoint = {
  addresses: ["10.244.0.9"],
  conditions: { ready: false, serving: false, terminating: false },
};

test("serviceRules() takes the endpoints that upstream's proxy takes", () => {
  const cases: readonly (readonly [string, Spec, readonly Endpoint[], readonly string[]])[] = [
    [
      "ready ones, sorted, each once",
      basic,
      [ready("10.244.0.3"), ready("10.244.0.2"), ready("10.244.0.3"), unready],
      ["http 10.96.0.80:80 np 30080 → 10.244.0.2 10.244.0.3"],
    ],
    [
      "serving ones that end, while none is ready",
      basic,
      [ending("10.244.0.4", true), ending("10.244.0.5", false), unready],
      ["http 10.96.0.80:80 np 30080 → 10.244.0.4"],
    ],
    [
      "no ending one while one is ready",
      basic,
      [ending("10.244.0.4", true), ready("10.244.0.2")],
      ["http 10.96.0.80:80 np 30080 → 10.244.0.2"],
    ],
    ["none", basic, [], ["http 10.96.0.80:80 np 30080 → "]],
    [
      "nothing of a headless service",
      { ...basic, clusterIP: "None", clusterIPs: ["None"] },
      [],
      [],
    ],
    ["nothing of an external name", { type: "ExternalName", externalName: "a.b" }, [], []],
    [
      "only this node's for traffic from outside",
      { ...basic, externalTrafficPolicy: "Local", externalIPs: ["198.51.100.7"] },
      [ready("10.244.0.2"), ready("10.244.1.2", "there")],
      [
        "http 10.96.0.80:80 → 10.244.0.2 10.244.1.2",
        "http (external) 198.51.100.7:80 np 30080 → 10.244.0.2",
      ],
    ],
    [
      "only this node's for traffic from inside",
      { ...basic, internalTrafficPolicy: "Local" },
      [ready("10.244.1.2", "there")],
      ["http 10.96.0.80:80 → ", "http (external) :80 np 30080 → 10.244.1.2"],
    ],
    [
      "with affinity",
      { ...basic, sessionAffinity: "ClientIP" },
      [ready("10.244.0.2")],
      ["http 10.96.0.80:80 np 30080 10800s → 10.244.0.2"],
    ],
  ];
  for (const [title, spec, endpoints, expected] of cases) {
    deepEqual(serviceRules(service(spec), [slice(endpoints)], "here").map(shown), expected, title);
  }
});

test("serviceRules() serves the addresses of a load balancer", () => {
  const balanced: Service = {
    ...service(basic),
    status: {
      loadBalancer: {
        ingress: [{ ip: "203.0.113.5" }, { ip: "203.0.113.6", ipMode: "Proxy" }, { hostname: "x" }],
      },
    },
  };
  deepEqual(serviceRules(balanced, [], "here").map(shown), [
    "http 10.96.0.80,203.0.113.5:80 np 30080 → ",
  ]);
});

test("hostPortRules() forwards a pod's host ports while it has an address", () => {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: "web" },
    spec: {
      containers: [
        {
          name: "c",
          ports: [
            { containerPort: 80, hostPort: 8080 },
            { containerPort: 53, hostPort: 53, hostIP: "192.0.2.1", protocol: "UDP" },
            { containerPort: 81 },
          ],
        },
      ],
    },
    status: { phase: "Running", podIP: "10.244.0.2" },
  };
  deepEqual(hostPortRules(pod).map(shown), [
    ":8080 (host) :8080 np 8080 → 10.244.0.2",
    "192.0.2.1:53 (host) 192.0.2.1:53 → 10.244.0.2",
  ]);
  deepEqual(hostPortRules({ ...pod, status: { ...pod.status, phase: "Succeeded" } }), []);
  deepEqual(hostPortRules({ ...pod, status: { phase: "Pending" } }), []);
});

function shown(rule: ReturnType<typeof serviceRules>[number]): string {
  const name = rule.name.slice("default/web:".length);
  const nodePort = rule.nodePort ? ` np ${rule.nodePort}` : "";
  const affinity = rule.affinitySeconds ? ` ${rule.affinitySeconds}s` : "";
  const ips = [...rule.clusterIps, ...rule.externalIps].join(",");
  const endpoints = rule.endpoints.map(({ ip }) => ip).join(" ");
  return `${name} ${ips}:${rule.port}${nodePort}${affinity} → ${endpoints}`;
}

function service(spec: Spec): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "default", name: "web" },
    spec,
  };
}

function slice(endpoints: readonly Endpoint[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: "default", name: "web-1" },
    addressType: "IPv4",
    endpoints,
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
}
