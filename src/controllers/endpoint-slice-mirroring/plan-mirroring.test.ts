import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Endpoints, EndpointSlice } from "#api/generated/types.ts";
import { isMirrored, planMirroring } from "#controllers/endpoint-slice-mirroring/plan-mirroring.ts";

const byHand = (extra: Partial<Endpoints> = {}): Endpoints => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { name: "db", namespace: "a", uid: "e", labels: { team: "x" } },
  subsets: [
    {
      addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1", nodeName: "n1" }],
      notReadyAddresses: [{ ip: "192.0.2.2", hostname: "b" }],
      ports: [{ name: "sql", port: 5432 }],
    },
  ],
  ...extra,
});

test("planMirroring() makes a slice of each family and keeps what is as it should be", () => {
  const { create } = planMirroring(byHand(), []);
  deepEqual(
    create.map(({ addressType, endpoints, ports, metadata }) => [
      addressType,
      endpoints,
      ports,
      metadata.labels,
    ]),
    ["IPv4", "IPv6"].map((family) => [
      family,
      family === "IPv4"
        ? [
            { addresses: ["192.0.2.1"], conditions: { ready: true } },
            { addresses: ["192.0.2.2"], conditions: { ready: false }, hostname: "b" },
          ]
        : [{ addresses: ["2001:db8::1"], conditions: { ready: true }, nodeName: "n1" }],
      [{ name: "sql", port: 5432, protocol: "TCP" }],
      {
        team: "x",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
      },
    ]),
  );
  const stored = create.map((slice, at): EndpointSlice => {
    const { generateName = "", ...rest } = slice.metadata;
    return { ...slice, metadata: { ...rest, generateName, name: `db-${at}`, uid: `u${at}` } };
  });
  const nothing = { create: [], update: [], delete: [] };
  deepEqual(planMirroring(byHand(), stored), nothing);
  const subsets = [{ addresses: [{ ip: "192.0.2.9" }], ports: [{ name: "sql", port: 5432 }] }];
  const moved = planMirroring(byHand({ subsets }), stored);
  deepEqual(
    [moved.create, moved.update.map(({ metadata }) => metadata.name), moved.delete.length],
    [[], ["db-0"], 1],
  );
});

test("isMirrored() leaves out what others care for", () => {
  const of = (labels: Record<string, string>, annotations: Record<string, string> = {}) =>
    isMirrored(byHand({ metadata: { name: "db", labels, annotations } }));
  deepEqual(
    [
      of({}),
      of({ "endpointslice.kubernetes.io/skip-mirror": "true" }),
      of({ "endpoints.kubernetes.io/managed-by": "endpoint-controller" }),
      of({}, { "control-plane.alpha.kubernetes.io/leader": "{}" }),
    ],
    [true, false, false, false],
  );
});
