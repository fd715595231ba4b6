import type { EndpointAddress, Endpoints, EndpointSubset } from "#api/generated/types.ts";
import { dns1123LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { portNumberProblems, qualifiedNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";
import { nonSpecialIpProblems } from "#api/validation/ip.ts";

export const endpointsStrategy = strategyFor<Endpoints>({
  createOnUpdate: true,
  hasGeneration: false,
  fillDefaults(endpoints) {
    for (const subset of endpoints.subsets ?? []) {
      for (const port of subset?.ports ?? []) if (port) setWhereUnset(port, { protocol: "TCP" });
    }
  },
  validate(root, endpoints) {
    for (const [index, subset] of itemsOf(endpoints.subsets).entries()) {
      checkSubset(root.child("subsets").index(index), subset);
    }
  },
  warnings: () => ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"],
});

function checkSubset(field: Field, subset: Given<EndpointSubset>): void {
  const ready = itemsOf(subset.addresses);
  const notReady = itemsOf(subset.notReadyAddresses);
  if (ready.length === 0 && notReady.length === 0) {
    field.required("must specify `addresses` or `notReadyAddresses`");
  }
  for (const [index, address] of ready.entries()) {
    checkAddress(field.child("addresses").index(index), address);
  }
  for (const [index, address] of notReady.entries()) {
    checkAddress(field.child("notReadyAddresses").index(index), address);
  }
  const ports = itemsOf(subset.ports);
  for (const [index, port] of ports.entries()) {
    const at = field.child("ports").index(index);
    if (port.name) at.child("name").invalidAll(port.name, dns1123LabelProblems(port.name));
    else if (ports.length > 1) at.child("name").required();
    at.child("port").invalidAll(port.port ?? 0, portNumberProblems(port.port ?? 0));
    checkOneOf(at.child("protocol"), port.protocol, ["SCTP", "TCP", "UDP"]);
    const protocol = port.appProtocol;
    if (protocol) at.child("appProtocol").invalidAll(protocol, qualifiedNameProblems(protocol));
  }
}

function checkAddress(field: Field, address: Given<EndpointAddress>): void {
  const { ip = "", hostname, nodeName } = address;
  field.child("ip").invalidAll(ip ?? "", nonSpecialIpProblems(ip ?? ""));
  if (hostname) field.child("hostname").invalidAll(hostname, dns1123LabelProblems(hostname));
  if (nodeName) field.child("nodeName").invalidAll(nodeName, dns1123SubdomainProblems(nodeName));
}
