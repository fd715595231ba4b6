import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice } from "#api/generated/types.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";
import { nonSpecialIpProblems, parseIp } from "#api/validation/ip.ts";

const endpointsMax = 1000;
const portsMax = 20_000;
const addressesMax = 100;

export const endpointSliceStrategy = strategyFor<EndpointSlice>({
  hasGeneration: true,
  generationMetadata: ["labels"],
  fillDefaults(slice) {
    for (const port of slice.ports ?? []) {
      if (port) setWhereUnset(port, { protocol: "TCP" });
      if (port) port.name ??= "";
    }
  },
  validate(root, slice) {
    checkOneOf(root.child("addressType"), slice.addressType, ["FQDN", "IPv4", "IPv6"]);
    const endpoints = itemsOf(slice.endpoints);
    if (endpoints.length > endpointsMax) {
      return root.child("endpoints").tooMany(endpoints.length, endpointsMax);
    }
    for (const [index, endpoint] of endpoints.entries()) {
      checkEndpoint(root.child("endpoints").index(index), endpoint, slice.addressType ?? "");
    }
    checkPorts(root.child("ports"), itemsOf(slice.ports));
  },
  validateUpdate(root, slice, old) {
    checkImmutable(root.child("addressType"), slice.addressType, old.addressType);
  },
});

function checkEndpoint(field: Field, endpoint: Given<Endpoint>, addressType: string): void {
  const addresses = itemsOf(endpoint.addresses);
  const at = field.child("addresses");
  if (addresses.length === 0) at.required("must contain at least 1 address");
  if (addresses.length > addressesMax) return at.tooMany(addresses.length, addressesMax);
  for (const [index, address] of addresses.entries()) {
    checkAddress(at.index(index), address, addressType);
  }
  const { nodeName, hostname, hints } = endpoint;
  if (nodeName) field.child("nodeName").invalidAll(nodeName, dns1123SubdomainProblems(nodeName));
  if (hostname) field.child("hostname").invalidAll(hostname, dns1123LabelProblems(hostname));
  for (const [index, zone] of itemsOf(hints?.forZones).entries()) {
    if (!zone.name) field.child("hints", "forZones").index(index).child("name").required();
  }
}

function checkAddress(field: Field, address: string, addressType: string): void {
  if (addressType === "FQDN") {
    field.invalidAll(address, dns1123SubdomainProblems(address));
  } else if (parseIp(address)?.family !== addressType) {
    field.invalid(address, `must be an ${addressType} address`);
  } else field.invalidAll(address, nonSpecialIpProblems(address));
}

function checkPorts(field: Field, ports: readonly Given<DiscoveryV1EndpointPort>[]): void {
  if (ports.length > portsMax) return field.tooMany(ports.length, portsMax);
  for (const [index, port] of ports.entries()) {
    const at = field.index(index);
    if (port.name) at.child("name").invalidAll(port.name, dns1123LabelProblems(port.name));
    checkOneOf(at.child("protocol"), port.protocol, ["SCTP", "TCP", "UDP"]);
    const protocol = port.appProtocol;
    if (protocol) at.child("appProtocol").invalidAll(protocol, qualifiedNameProblems(protocol));
  }
  checkUnique(
    ports,
    (port) => port.name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}
