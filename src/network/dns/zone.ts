import type { Answer } from "dns-packet";
import { isIPv4, isIPv6 } from "node:net";
import { nameOf, namespaceOf } from "#api/meta.ts";
import type { Service } from "#api/generated/types.ts";
import type { ClusterView } from "#network/dns/cluster-view.ts";
import {
  endpointPlaces,
  endpointName,
  isHeadless,
  servicePlaces,
  type Place,
} from "#network/dns/places.ts";
import { contains, type IpRange } from "#network/ip-range.ts";

export interface Zone {
  /** `cluster.local`. */
  readonly domain: string;
  /** Addresses whose reverse names are the cluster's: pods and services. */
  readonly ranges: readonly IpRange[];
  readonly view: ClusterView;
}

export type Found =
  | {
      readonly kind: "records";
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
    }
  | { readonly kind: "alias"; readonly target: string }
  /** The name exists, but not with this type. */
  | { readonly kind: "no-data"; readonly origin: string }
  | { readonly kind: "no-name"; readonly origin: string }
  /** Not a name of the cluster. */
  | { readonly kind: "elsewhere" };

/** As CoreDNS in a cluster made by kubeadm. */
export const ttlSeconds = 30;

/**
 * What the cluster knows under a name, as the Kubernetes DNS specification 1.1.0 lays it down. `name` is repeated in
 * the records as it is given.
 */
export function lookUp(zone: Zone, name: string, type: string): Found {
  const lower = name.toLowerCase();
  if (lower === zone.domain) return { kind: "no-data", origin: zone.domain };
  const reverse = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(lower);
  if (reverse) return lookUpAddress(zone, reverse.slice(1, 5).toReversed().join("."), name, type);
  if (!lower.endsWith(`.${zone.domain}`)) return { kind: "elsewhere" };
  const labels = lower.slice(0, -zone.domain.length - 1).split(".");
  return recordsOf(zone, { name, type }, find(zone, labels));
}

/** Where the labels lead: places, a name without records, another name, or nothing. */
type Target =
  | { readonly kind: "places"; readonly places: readonly Place[] }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "alias"; readonly target: string }
  | { readonly kind: "empty" }
  | { readonly kind: "nothing" };

const nothing: Target = { kind: "nothing" };

function find(zone: Zone, labels: readonly string[]): Target {
  const below = labels.at(-1);
  const rest = labels.slice(0, -1);
  if (rest.length === 0) {
    if (below === "dns-version") return { kind: "text", text: "1.1.0" };
    return below === "svc" || below === "pod" ? { kind: "empty" } : nothing;
  }
  if (below !== "svc" && below !== "pod") return nothing;
  const namespace = rest.at(-1) ?? "";
  if (rest.length === 1) return zone.view.hasNamespace(namespace) ? { kind: "empty" } : nothing;
  return below === "svc" ? findService(zone, rest) : findPod(zone, rest);
}

/** `1-2-3-4.namespace`: any address, as CoreDNS answers with `pods insecure`. */
function findPod(zone: Zone, [dashed = "", namespace = "", more]: readonly string[]): Target {
  if (more !== undefined || !zone.view.hasNamespace(namespace)) return nothing;
  const ip = [dashed.replaceAll("-", "."), dashed.replaceAll("-", ":")].find(
    (text) => isIPv4(text) || isIPv6(text),
  );
  if (ip === undefined) return nothing;
  return { kind: "places", places: [{ ip, ports: [], host: "" }] };
}

/** `service.namespace`, `endpoint.service.namespace` or `_port._protocol.service.namespace`. */
function findService(zone: Zone, labels: readonly string[]): Target {
  const [namespace = "", name = "", ...prefix] = labels.toReversed();
  const service = zone.view.service(namespace, name);
  if (service === undefined || prefix.length > 2) return nothing;
  if (service.spec?.type === "ExternalName") {
    const target = service.spec.externalName ?? "";
    return prefix.length === 0 && target !== "" ? { kind: "alias", target } : nothing;
  }
  const places = placesOf(zone, service, prefix);
  return places.length > 0 ? { kind: "places", places } : nothing;
}

function placesOf(zone: Zone, service: Service, prefix: readonly string[]): readonly Place[] {
  const endpoint = prefix.length === 1 ? prefix[0] : undefined;
  const direct = isHeadless(service) || endpoint !== undefined;
  const places = direct
    ? endpointPlaces(service, zone.view.slices(service))
    : servicePlaces(service);
  if (endpoint !== undefined) return places.filter(({ host }) => host === endpoint);
  if (prefix.length === 0) return places;
  const [protocol = "", port = ""] = prefix;
  return places
    .map((place) => ({
      ...place,
      ports: place.ports.filter(
        (one) => `_${one.name}` === port && `_${one.protocol.toLowerCase()}` === protocol,
      ),
    }))
    .filter(({ ports }) => ports.length > 0);
}

interface Asked {
  readonly name: string;
  readonly type: string;
}

function recordsOf(zone: Zone, { name, type }: Asked, target: Target): Found {
  const origin = zone.domain;
  if (target.kind === "nothing") return { kind: "no-name", origin };
  if (target.kind === "alias") return target;
  if (target.kind === "text" && type === "TXT") {
    return given([{ name, type, ttl: ttlSeconds, data: target.text }]);
  }
  if (target.kind !== "places") return { kind: "no-data", origin };
  if (type === "SRV") return serversOf(zone, name, target.places);
  const answers = target.places.flatMap(({ ip }) => addressRecord(name, ip));
  const fitting = answers.filter((answer) => answer.type === type);
  return fitting.length > 0 ? given(fitting) : { kind: "no-data", origin };
}

function serversOf(zone: Zone, name: string, places: readonly Place[]): Found {
  const count = places.reduce((sum, { ports }) => sum + ports.length, 0);
  if (count === 0) return { kind: "no-data", origin: zone.domain };
  const weight = Math.max(1, Math.floor(100 / count));
  const answers = new Map<string, Answer>();
  const additionals = new Map<string, Answer>();
  for (const { ports, ip, fullHost = "" } of places) {
    const target = `${fullHost}.svc.${zone.domain}`;
    for (const { port } of ports) {
      const data = { priority: 0, weight, port, target };
      answers.set(`${target} ${port}`, { name, type: "SRV", ttl: ttlSeconds, data });
    }
    for (const record of addressRecord(target, ip)) additionals.set(`${target} ${ip}`, record);
  }
  return given([...answers.values()], [...additionals.values()]);
}

function lookUpAddress(zone: Zone, ip: string, name: string, type: string): Found {
  const hosts = hostsOf(zone, ip);
  const origin = "in-addr.arpa";
  if (hosts.length === 0) {
    const ours = zone.ranges.some((range) => contains(range, ip));
    return ours ? { kind: "no-name", origin } : { kind: "elsewhere" };
  }
  if (type !== "PTR") return { kind: "no-data", origin };
  return given(
    hosts.map((host) => ({
      name,
      type: "PTR",
      ttl: ttlSeconds,
      data: `${host}.svc.${zone.domain}`,
    })),
  );
}

function hostsOf(zone: Zone, ip: string): readonly string[] {
  const service = zone.view.serviceWithIp(ip);
  if (service) return [`${nameOf(service)}.${namespaceOf(service)}`];
  const hosts = new Set<string>();
  for (const { slice, service: owner } of zone.view.slicesWithIp(ip)) {
    for (const endpoint of slice.endpoints ?? []) {
      if (!endpoint.addresses.includes(ip)) continue;
      hosts.add(`${endpointName(endpoint, ip)}.${nameOf(owner)}.${namespaceOf(owner)}`);
    }
  }
  return [...hosts];
}

function addressRecord(name: string, ip: string): Answer[] {
  const type = isIPv4(ip) ? "A" : "AAAA";
  return [{ name, type, ttl: ttlSeconds, data: ip }];
}

function given(answers: readonly Answer[], additionals: readonly Answer[] = []): Found {
  return { kind: "records", answers, additionals };
}
