import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  formatLabels,
  name,
  none,
  number,
  objects,
  orNone,
  strings,
  text,
  unknown,
  wide,
} from "#api/kinds/columns/cells.ts";

export const serviceColumns: readonly Column[] = [
  name,
  column("Type", "How the service is reached", (service) => text(service, "spec", "type")),
  column("Cluster-IP", "The service's first address inside the cluster", (service) =>
    orNone(text(service, "spec", "clusterIPs", 0)),
  ),
  column("External-IP", "Addresses outside the cluster", externalAddress),
  column("Port(s)", "Ports with their node ports and protocols", (service) =>
    orNone(objects(service, "spec", "ports").map(portText).join(",")),
  ),
  age,
  wide("Selector", "Labels of the pods behind the service", (service) =>
    formatLabels(at(service, "spec", "selector")),
  ),
];

export const endpointsColumns: readonly Column[] = [
  name,
  column("Endpoints", "The first addresses and ports", (object) => {
    const subsets = objects(object, "subsets");
    return subsets.length === 0
      ? none
      : firstOf(subsets.flatMap(subsetAddresses), endpointsShownMax);
  }),
  age,
];

export const endpointSliceColumns: readonly Column[] = [
  name,
  column("AddressType", "IPv4, IPv6 or FQDN", (slice) => text(slice, "addressType")),
  column("Ports", "The first ports", (slice) => {
    const ports = objects(slice, "ports").map(slicePort);
    return ports.length === 0 ? unsetText : firstOf(ports, endpointsShownMax);
  }),
  column("Endpoints", "The first addresses", (slice) => {
    const addresses = objects(slice, "endpoints").flatMap((one) => strings(one, "addresses"));
    return addresses.length === 0 ? unsetText : firstOf(addresses, endpointsShownMax);
  }),
  age,
];

/** The addresses at which a load balancer answers, sorted, each once. */
export function loadBalancerAddresses(status: JsonObject): string {
  const addresses = objects(status, "status", "loadBalancer", "ingress")
    .map((ingress) => text(ingress, "ip") || text(ingress, "hostname"))
    .filter((address) => address !== "");
  return [...new Set(addresses)].toSorted().join(",");
}

const endpointsShownMax = 3;
const unsetText = "<unset>";

function externalAddress(service: JsonObject): string {
  const addresses = strings(service, "spec", "externalIPs");
  switch (text(service, "spec", "type")) {
    case "ClusterIP":
    case "NodePort":
      return orNone(addresses.join(","));
    case "LoadBalancer": {
      const balancer = loadBalancerAddresses(service);
      return [...(balancer === "" ? [] : [balancer]), ...addresses].join(",") || "<pending>";
    }
    case "ExternalName":
      return text(service, "spec", "externalName");
    default:
      return unknown;
  }
}

function portText(port: JsonObject): string {
  const nodePort = number(port, "nodePort");
  const shown = nodePort > 0 ? `${number(port, "port")}:${nodePort}` : text(port, "port");
  return `${shown}/${text(port, "protocol")}`;
}

function subsetAddresses(subset: JsonObject): readonly string[] {
  const addresses = objects(subset, "addresses").map((address) => text(address, "ip"));
  const ports = objects(subset, "ports").map((port) => text(port, "port"));
  if (ports.length === 0) return addresses;
  return ports.flatMap((port) => addresses.map((address) => joined(address, port)));
}

function joined(address: string, port: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function slicePort(port: JsonObject): string {
  const shown = at(port, "port");
  if (shown === undefined) return text(port, "name") || "*";
  return text(port, "port");
}

function firstOf(all: readonly string[], max: number): string {
  const shown = all.slice(0, max).join(",");
  return all.length > max ? `${shown} + ${all.length - max} more...` : shown;
}
