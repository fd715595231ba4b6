import type { Endpoint, Node, Service } from "#api/generated/types.ts";
import { parseQuantity, quantityMilliValue } from "#api/quantity.ts";

/** The part of the ready nodes' CPU that each zone has; undefined where that cannot be told. */
export type ZoneShares = ReadonlyMap<string, number> | undefined;

export type DealtHints =
  | { readonly kind: "dealt"; readonly zones: ReadonlyMap<Endpoint, string> }
  /** Nobody gets a hint; upstream's words. */
  | { readonly kind: "none"; readonly problem: string };

/** Whether the service asks for hints by its zones' CPU: `service.kubernetes.io/topology-mode: Auto`. */
export function wantsTopologyHints({ metadata: { annotations = {} } }: Service): boolean {
  const mode = annotations[olderModeAnnotation] ?? annotations[modeAnnotation];
  return mode === "Auto" || mode === "auto";
}

const modeAnnotation = "service.kubernetes.io/topology-mode";
const olderModeAnnotation = "service.kubernetes.io/topology-aware-hints";

export function zoneShares(nodes: Iterable<Node>): ZoneShares {
  const milliByZone = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    const { counts, zone, milliCpu } = zoneFacts(node);
    if (!counts) continue;
    if (zone === "" || milliCpu === 0) return undefined;
    milliByZone.set(zone, (milliByZone.get(zone) ?? 0) + milliCpu);
    total += milliCpu;
  }
  if (milliByZone.size < 2) return undefined;
  return new Map([...milliByZone].map(([zone, milli]) => [zone, milli / total]));
}

/** What of a node zones are compared by. */
export function zoneFacts({ metadata: { labels = {} }, status }: Node) {
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  const cpu = status?.allocatable?.["cpu"];
  return {
    counts: ready && excludedLabels.every((label) => labels[label] === undefined),
    zone: labels["topology.kubernetes.io/zone"] ?? "",
    milliCpu: cpu === undefined ? 0 : Number(quantityMilliValue(parseQuantity(cpu))),
  };
}

const excludedLabels = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/** How much more than its part of the traffic an endpoint may get. */
const overload = 0.2;

/**
 * Gives every ready endpoint to a zone, its own where possible, so that each zone has endpoints as it has CPU. All or
 * nobody: a zone without enough of its own would be overloaded. The order of the endpoints decides which of them go
 * elsewhere, so that the same endpoints are dealt the same way.
 */
export function dealHints(endpoints: readonly Endpoint[], shares: ZoneShares): DealtHints {
  const ready = endpoints.filter(({ conditions }) => conditions?.ready);
  if (shares === undefined) return { kind: "none", problem: unknownNodes };
  const counts = `(${ready.length} endpoints, ${shares.size} zones)`;
  if (shares.size > ready.length) return { kind: "none", problem: `${tooFew} ${counts}` };
  const desired = desiredCounts(shares, ready.length);
  if (desired === undefined) return { kind: "none", problem: `${tooUneven} ${counts}` };
  if (ready.some(({ zone }) => !zone)) return { kind: "none", problem: zoneless };
  const zones = new Map(ready.map((endpoint) => [endpoint, endpoint.zone ?? ""]));
  redistribute(zones, desired);
  return { kind: "dealt", zones };
}

const unknownNodes =
  "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
const tooFew = "Insufficient number of endpoints";
const tooUneven =
  "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold";
const zoneless = "One or more endpoints do not have a zone specified";

function desiredCounts(
  shares: ReadonlyMap<string, number>,
  total: number,
): ReadonlyMap<string, number> | undefined {
  const desired = new Map<string, number>();
  let least = 0;
  for (const [zone, share] of shares) {
    const minimum = Math.ceil((share * total) / (1 + overload));
    desired.set(zone, Math.max(share * total, minimum));
    least += minimum;
  }
  return least > total ? undefined : desired;
}

/** Moves endpoints from zones that have more than they should to those that have less, until halves are left. */
function redistribute(zones: Map<Endpoint, string>, desired: ReadonlyMap<string, number>): void {
  const surplus = new Map([...desired].map(([zone, count]) => [zone, -count]));
  for (const zone of zones.values()) {
    const count = surplus.get(zone);
    if (count !== undefined) surplus.set(zone, count + 1);
  }
  for (;;) {
    const [giving, more] = extreme(surplus, 1);
    const [receiving, less] = extreme(surplus, -1);
    if ((more < 1 && less < 1) || more < 0.5 || less < 0.5) return;
    const given = [...zones].find(([{ zone }, now]) => zone === giving && now === giving);
    if (given === undefined) return;
    zones.set(given[0], receiving);
    surplus.set(giving, more - 1);
    surplus.set(receiving, 1 - less);
  }
}

/** The zone furthest above (1) or below (-1) what it should have, and by how much. */
function extreme(surplus: ReadonlyMap<string, number>, sign: 1 | -1): readonly [string, number] {
  let found: readonly [string, number] = ["", 0];
  for (const [zone, count] of surplus) {
    if (count * sign > found[1]) found = [zone, count * sign];
  }
  return found;
}
