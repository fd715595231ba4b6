import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Pod, Service } from "#api/generated/types.ts";
import {
  planEndpointSlices,
  type SlicePlan,
} from "#controllers/endpoint-slice/plan-endpoint-slices.ts";
import { planEndpoints } from "#controllers/endpoints/plan-endpoints.ts";

const service = (spec: Service["spec"] = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "a", uid: "s", labels: { team: "x" } },
  spec: {
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, targetPort: "http" }],
    ...spec,
  },
});

const pod = (
  number: number,
  more: { port?: number; ready?: boolean; leaving?: boolean } = {},
): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `p${number}`,
    namespace: "a",
    uid: `u${number}`,
    labels: { app: "web" },
    ...(more.leaving && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  },
  spec: {
    nodeName: "n1",
    hostname: "host",
    subdomain: "web",
    containers: [{ name: "c", ports: [{ name: "http", containerPort: more.port ?? 8080 }] }],
  },
  status: {
    phase: "Running",
    podIP: `10.0.0.${number}`,
    conditions: [{ type: "Ready", status: more.ready === false ? "False" : "True" }],
  },
});

const plan = (
  pods: readonly Pod[],
  slices: readonly EndpointSlice[] = [],
  of = service(),
): SlicePlan => planEndpointSlices({ service: of, pods, slices, zoneOf: () => "z1" });

/** What was planned, as the server would keep it. */
function stored(slices: readonly EndpointSlice[]): EndpointSlice[] {
  return slices.map(({ metadata, ...slice }, index) => {
    const { generateName, ...rest } = metadata;
    return { ...slice, metadata: { name: `${generateName}${index}`, ...rest } };
  });
}

const sizes = (slices: readonly EndpointSlice[]): number[] =>
  slices.map(({ endpoints }) => endpoints?.length ?? 0);

test("planEndpointSlices() writes endpoints as upstream does", () => {
  const [slice] = plan([pod(1), pod(2, { ready: false }), pod(3, { leaving: true })]).create;
  const endpoint = (number: number, conditions: object) => ({
    addresses: [`10.0.0.${number}`],
    conditions,
    hostname: "host",
    targetRef: { kind: "Pod", namespace: "a", name: `p${number}`, uid: `u${number}` },
    nodeName: "n1",
    zone: "z1",
  });
  deepEqual(slice, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: "web-",
      namespace: "a",
      labels: {
        team: "x",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "web",
      },
      ownerReferences: [
        {
          apiVersion: "v1",
          kind: "Service",
          name: "web",
          uid: "s",
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    addressType: "IPv4",
    endpoints: [
      endpoint(1, { ready: true, serving: true, terminating: false }),
      endpoint(2, { ready: false, serving: false, terminating: false }),
      endpoint(3, { ready: false, serving: true, terminating: true }),
    ],
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  });
});

test("planEndpointSlices() fills slices of a hundred, keeps what is there and touches few", () => {
  const pods = Array.from({ length: 205 }, (_, number) => pod(number));
  const first = plan(pods);
  deepEqual(sizes(first.create), [100, 100, 5]);
  const slices = stored(first.create);
  deepEqual(plan(pods, slices), { create: [], update: [], delete: [] });
  const grown = plan([...pods, pod(300)], slices);
  deepEqual([sizes(grown.create), sizes(grown.update)], [[], [6]]);
  const swapped = plan([...pods.slice(1), pod(300)], slices);
  deepEqual([sizes(swapped.create), sizes(swapped.update)], [[], [100]]);
  const named = plan([pod(1), pod(2, { port: 9090 })]);
  deepEqual(sizes(named.create), [1, 1]);
});

test("planEndpointSlices() leaves one empty slice, and its name, to a service without pods", () => {
  const slices = stored(plan([pod(1)]).create);
  const { create, update, delete: remove } = plan([], slices);
  deepEqual([create, sizes(update), update[0]?.metadata.name, remove], [[], [0], "web-0", []]);
  deepEqual(plan([], stored(plan([]).create)), { create: [], update: [], delete: [] });
});

test("planEndpoints() groups addresses by ports and tells ready from unready", () => {
  const ready = (number: number) => ({
    ip: `10.0.0.${number}`,
    nodeName: "n1",
    targetRef: { kind: "Pod", namespace: "a", name: `p${number}`, uid: `u${number}` },
    hostname: "host",
  });
  const ports = (port: number) => [{ name: "http", port, protocol: "TCP" }];
  const pods = [
    pod(3, { ready: false }),
    pod(1),
    pod(2, { port: 9090 }),
    pod(4, { leaving: true }),
  ];
  const { metadata, subsets } = planEndpoints(service(), pods, undefined);
  deepEqual(metadata.labels, {
    team: "x",
    "endpoints.kubernetes.io/managed-by": "endpoint-controller",
  });
  deepEqual(subsets, [
    { addresses: [ready(1)], notReadyAddresses: [ready(3)], ports: ports(8080) },
    { addresses: [ready(2)], ports: ports(9090) },
  ]);
  const headless = planEndpoints(service({ clusterIP: "None", ports: [] }), [pod(1)], undefined);
  deepEqual(headless.subsets, [{ addresses: [ready(1)] }]);
  const many = Array.from({ length: 1200 }, (_, number) => pod(number));
  const cut = planEndpoints(service(), many, undefined);
  deepEqual(
    [cut.subsets?.[0]?.addresses?.length, cut.metadata.annotations],
    [1000, { "endpoints.kubernetes.io/over-capacity": "truncated" }],
  );
});
