import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Endpoint, EndpointSlice, Node, Pod, Service } from "#api/generated/types.ts";
import { planEndpointSlices } from "#controllers/endpoint-slice/plan-endpoint-slices.ts";
import { dealHints, zoneShares } from "#controllers/endpoint-slice/topology-hints.ts";

const node = (zone: string, cpu: string, labels: Readonly<Record<string, string>> = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: zone, labels: { ...labels, ...(zone && { [zoneLabel]: zone }) } },
  status: { allocatable: { cpu }, conditions: [{ type: "Ready", status: "True" }] },
});
const zoneLabel = "topology.kubernetes.io/zone";

const endpoints = (counts: Readonly<Record<string, number>>): readonly Endpoint[] =>
  Object.entries(counts).flatMap(([zone, count]) =>
    Array.from({ length: count }, (_, at) => ({
      addresses: [`${zone}${at}`],
      conditions: { ready: true },
      ...(zone && { zone }),
    })),
  );

/** From where to where endpoints are dealt, or why not. */
function dealt(
  counts: Readonly<Record<string, number>>,
  shares: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> | string {
  const result = dealHints(endpoints(counts), new Map(Object.entries(shares)));
  if (result.kind === "none") return result.problem;
  const moves: Record<string, number> = {};
  for (const [{ zone }, to] of result.zones) {
    const move = `${zone}>${to}`;
    moves[move] = (moves[move] ?? 0) + 1;
  }
  return moves;
}

test("zoneShares() counts the CPU of ready nodes that are no control plane", () => {
  const controlPlane = { "node-role.kubernetes.io/control-plane": "" };
  const shares = zoneShares([node("a", "3"), node("b", "500m"), node("", "8", controlPlane)]);
  deepEqual(
    [...(shares ?? [])].map(([zone, share]) => [zone, share.toFixed(2)]),
    [
      ["a", "0.86"],
      ["b", "0.14"],
    ],
  );
  deepEqual(zoneShares([node("a", "3"), node("a", "3")]), undefined);
  deepEqual(zoneShares([node("a", "3"), node("b", "3"), node("", "3")]), undefined);
});

test("dealHints() gives every zone endpoints as it has CPU, its own first", () => {
  const halves = { a: 0.5, b: 0.5 };
  deepEqual(dealt({ a: 3, b: 3 }, halves), { "a>a": 3, "b>b": 3 });
  deepEqual(dealt({ a: 5, b: 1 }, halves), { "a>a": 3, "a>b": 2, "b>b": 1 });
  deepEqual(dealt({ a: 6 }, halves), { "a>a": 3, "a>b": 3 });
  deepEqual(dealt({ a: 3, b: 3 }, { a: 2 / 3, b: 1 / 3 }), { "a>a": 3, "b>a": 1, "b>b": 2 });
  deepEqual(dealt({ a: 1 }, halves), "Insufficient number of endpoints (1 endpoints, 2 zones)");
  deepEqual(
    dealt({ a: 1, b: 1, c: 1 }, { a: 0.1, b: 0.45, c: 0.45 }),
    "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 3 zones)",
  );
  deepEqual(dealt({ a: 3, "": 1 }, halves), "One or more endpoints do not have a zone specified");
});

const service = (mode?: string): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name: "web",
    uid: "s",
    namespace: "a",
    ...(mode && { annotations: { "service.kubernetes.io/topology-mode": mode } }),
  },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
});

const pod = (name: string, nodeName: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "a", uid: name, labels: { app: "web" } },
  spec: { nodeName, containers: [] },
  status: {
    phase: "Running",
    podIP: `10.0.0.${name}`,
    conditions: [{ type: "Ready", status: "True" }],
  },
});

test("planEndpointSlices() tells when topology hints begin and end", () => {
  const nodes = [node("a", "4"), node("b", "4")];
  const plan = (of: Service, slices: readonly EndpointSlice[], pods: readonly Pod[]) =>
    planEndpointSlices({
      service: of,
      pods,
      slices,
      zoneOf: (name) => name,
      zoneShares: () => zoneShares(nodes),
    });
  const hintsOf = (slices: readonly EndpointSlice[]) =>
    slices.flatMap(({ endpoints: all }) => all?.map(({ hints }) => hints?.forZones?.[0]?.name));
  const four = ["1", "2", "3", "4"].map((name) => pod(name, "a"));
  const begun = plan(service("Auto"), [], four);
  deepEqual(hintsOf(begun.create), ["b", "b", "a", "a"]);
  deepEqual(
    begun.events?.map(({ type, reason, message }) => [type, reason, message]),
    [
      [
        "Normal",
        "TopologyAwareHintsEnabled",
        "Topology Aware Hints has been enabled, addressType: IPv4",
      ],
    ],
  );
  const same = plan(service("Auto"), begun.create, four);
  deepEqual([same.create, same.update, same.events], [[], [], undefined]);
  const fewer = plan(service("Auto"), begun.create, four.slice(0, 1));
  deepEqual(hintsOf(fewer.update), [undefined]);
  deepEqual(
    fewer.events?.map(({ message }) => message),
    ["Insufficient number of endpoints (1 endpoints, 2 zones), addressType: IPv4"],
  );
  const ended = plan(service(), begun.create, four);
  deepEqual(hintsOf(ended.update), [undefined, undefined, undefined, undefined]);
  deepEqual(
    ended.events?.map(({ reason }) => reason),
    ["TopologyAwareHintsDisabled"],
  );
});
