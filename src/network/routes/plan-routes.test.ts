import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#api/generated/types.ts";
import { parseRoutes, planRouteChanges, planRoutes } from "#network/routes/plan-routes.ts";

const node = (name: string, podCIDR?: string, ...addresses: readonly string[]): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  spec: { ...(podCIDR !== undefined && { podCIDR }) },
  status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
});

test("planRoutes() leads to the pods of every other machine's nodes, and to nothing else", () => {
  const routes = planRoutes({
    nodeName: "own",
    ownAddresses: new Set(["127.0.0.1", "192.0.2.1"]),
    clusterPodCidr: "10.244.0.0/16",
    nodes: [
      node("own", "10.244.0.0/24", "192.0.2.9"),
      node("same-machine", "10.244.1.0/24", "192.0.2.1"),
      node("c", "10.244.3.0/24", "fd00::3", "192.0.2.3"),
      node("b", "10.244.2.0/24", "192.0.2.2"),
      node("outside", "10.9.0.0/24", "192.0.2.4"),
      node("everything", "0.0.0.0/0", "192.0.2.5"),
      node("joining"),
      node("odd", "--help", "192.0.2.6"),
      node("no-address", "10.244.7.0/24"),
    ],
  });
  deepEqual(routes, [
    { podCidr: "10.244.2.0/24", via: "192.0.2.2" },
    { podCidr: "10.244.3.0/24", via: "192.0.2.3" },
  ]);
});

test("planRouteChanges() replaces what leads elsewhere and drops what nobody has any more", () => {
  const present = parseRoutes(
    "10.244.2.0/24 via 192.0.2.2 dev eth0 \n10.244.3.0/24 via 192.0.2.7 dev eth0 \n10.244.4.0/24 via 192.0.2.4 dev eth0 \n",
  );
  const wanted = [
    { podCidr: "10.244.2.0/24", via: "192.0.2.2" },
    { podCidr: "10.244.3.0/24", via: "192.0.2.3" },
  ];
  deepEqual(planRouteChanges(wanted, present), [
    { act: "drop", podCidr: "10.244.4.0/24", via: "192.0.2.4" },
    { act: "add", podCidr: "10.244.3.0/24", via: "192.0.2.3" },
  ]);
});
