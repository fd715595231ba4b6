import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import type { ServiceRule } from "#network/datapath.ts";
import { contains, type IpRange } from "#network/ip-range.ts";
import type { Ruleset } from "#network/nftables/ruleset.ts";

/** One service's part of the table. */
export interface CompiledService {
  readonly sets: readonly (readonly [name: string, declaration: string])[];
  readonly chains: readonly (readonly [name: string, rules: readonly string[]])[];
  readonly elements: readonly (readonly [set: string, key: string, value: string])[];
}

/**
 * Joins services into what the table holds. Of two that claim the same address and port, the first keeps it.
 * `compile` may remember what it made of a rule: rules never change.
 */
export function joinServices(
  rules: readonly ServiceRule[],
  compile: (rule: ServiceRule) => CompiledService,
): Ruleset {
  const sets = new Map<string, string>();
  const chains = new Map<string, readonly string[]>();
  const elements = new Map<string, Map<string, string>>();
  for (const rule of rules) {
    const compiled = compile(rule);
    for (const [name, declaration] of compiled.sets) sets.set(name, declaration);
    for (const [name, body] of compiled.chains) chains.set(name, body);
    for (const [set, key, value] of compiled.elements) {
      const held = elements.get(set) ?? new Map<string, string>();
      elements.set(set, held);
      if (!held.has(key)) held.set(key, value);
    }
  }
  return { sets, chains, elements };
}

/** Only IPv4 is carried; other addresses are left out. `podRange`: the pods of this node. */
export function compileService(rule: ServiceRule, podRange: IpRange): CompiledService {
  const protocol = rule.protocol.toLowerCase();
  const endpoints = rule.endpoints.filter(({ ip }) => isIPv4(ip));
  if (endpoints.length === 0) return refusing(rule, protocol);
  const id = idOf(rule);
  const service: Service = { rule, id, protocol, endpoints, chain: `svc_${id}` };
  const { sets, chains } =
    rule.affinitySeconds === undefined ? spreading(service) : keeping(service);
  const [ips, ports] = fronts(rule, protocol);
  return {
    sets,
    chains,
    elements: [
      ...ips.map((key) => ["service_ips", key, `goto ${service.chain}`] as const),
      ...ports.map((key) => ["node_ports", key, `goto ${service.chain}`] as const),
      ...endpoints.map(({ ip, port }) =>
        contains(podRange, ip)
          ? (["hairpins", `${ip} . ${ip}`, ""] as const)
          : (["remote_endpoints", `${ip} . ${protocol} . ${port}`, ""] as const),
      ),
    ],
  };
}

interface Service {
  readonly rule: ServiceRule;
  readonly id: string;
  readonly protocol: string;
  readonly endpoints: ServiceRule["endpoints"];
  readonly chain: string;
}

/** Where connections come in: keys of the maps `service_ips` and `node_ports`. */
function fronts(rule: ServiceRule, protocol: string): readonly [string[], string[]] {
  const ips = [...rule.clusterIps, ...rule.externalIps].filter((ip) => isIPv4(ip));
  return [
    ips.map((ip) => `${ip} . ${protocol} . ${rule.port}`),
    rule.nodePort === undefined ? [] : [`${protocol} . ${rule.nodePort}`],
  ];
}

/** What goes to an unserved address of the service range is refused anyway; other addresses must be named. */
function refusing(rule: ServiceRule, protocol: string): CompiledService {
  const [ips, ports] = fronts({ ...rule, clusterIps: [] }, protocol);
  return {
    sets: [],
    chains: [],
    elements: [
      ...ips.map((key) => ["refused_ips", key, ""] as const),
      ...ports.map((key) => ["refused_ports", key, ""] as const),
    ],
  };
}

type Parts = Pick<CompiledService, "sets" | "chains">;

/** Each connection goes to a random endpoint. */
function spreading({ rule, protocol, endpoints, chain }: Service): Parts {
  const [only, ...others] = endpoints;
  const target =
    only !== undefined && others.length === 0
      ? `${only.ip}:${only.port}`
      : `numgen random mod ${endpoints.length} map { ${numbered(endpoints.map(({ ip, port }) => `${ip} . ${port}`))} }`;
  const translation =
    others.length === 0 ? `dnat to ${target}` : `dnat ip addr . port to ${target}`;
  return {
    sets: [],
    chains: [[chain, [`meta l4proto ${protocol} ${translation} comment ${commentOf(rule)}`]]],
  };
}

/** A client is led to the endpoint it had, as long as its address is remembered in that endpoint's set. */
function keeping({ rule, id, protocol, endpoints, chain }: Service): Parts {
  const places = endpoints.map(({ ip, port }) => {
    const suffix = `${ip.replaceAll(".", "_")}_${port}`;
    return {
      chain: `ep_${id}_${suffix}`,
      // The time is part of the name: a set's time-out cannot be changed.
      set: `clients_${id}_${rule.affinitySeconds}_${suffix}`,
      target: `${ip}:${port}`,
    };
  });
  const declaration = `{ type ipv4_addr; flags dynamic,timeout; timeout ${rule.affinitySeconds}s; size ${clientsMax}; }`;
  const known = places.map((place) => `ip saddr @${place.set} goto ${place.chain}`);
  const choice = `numgen random mod ${places.length} vmap { ${numbered(places.map((place) => `goto ${place.chain}`))} }`;
  return {
    sets: places.map((place) => [place.set, declaration]),
    chains: [
      [chain, [...known, `${choice} comment ${commentOf(rule)}`]],
      ...places.map(
        (place) =>
          [
            place.chain,
            [
              `update @${place.set} { ip saddr } meta l4proto ${protocol} dnat to ${place.target}`,
              // A full set remembers nobody new, but carries them.
              `meta l4proto ${protocol} dnat to ${place.target}`,
            ],
          ] as const,
      ),
    ],
  };
}

/** Clients remembered per endpoint. */
const clientsMax = 65_535;

function numbered(values: readonly string[]): string {
  return values.map((value, index) => `${index} : ${value}`).join(", ");
}

function idOf(rule: ServiceRule): string {
  return createHash("sha256").update(`${rule.protocol} ${rule.name}`).digest("hex").slice(0, 16);
}

/** nft takes up to 128 bytes. */
const commentBytesMax = 120;

function commentOf(rule: ServiceRule): string {
  return `"${rule.name.replaceAll(/[^\w./:() -]/g, "").slice(0, commentBytesMax)}"`;
}
