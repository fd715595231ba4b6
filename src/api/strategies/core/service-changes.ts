import type { ServiceSpec } from "#api/generated/types.ts";
import { type Filling, itemsOf } from "#api/validation/given.ts";
import { sameMeaning } from "#api/validation/equality.ts";

type Spec = Filling<ServiceSpec>;

/**
 * In place: brings what depends on a service's type to its new type. What was given to the service, or filled in, stays
 * where a client leaves it out, and goes where the new type has no use for it, unless the client changed it too: then
 * validation says what is wrong.
 */
export function followTypeOfService(spec: Spec, before: Spec): void {
  keepAddresses(spec, before);
  if (needsNodePorts(spec) && needsNodePorts(before)) keepNodePorts(spec, before);
  if (needsHealthPort(spec) && needsHealthPort(before)) {
    spec.healthCheckNodePort ||= before.healthCheckNodePort;
  }
  for (const [isUsedBy, fields] of fieldsByUse) {
    if (isUsedBy(before) && !isUsedBy(spec)) dropUnchanged(spec, before, fields);
  }
  if (needsNodePorts(before) && !needsNodePorts(spec)) dropNodePorts(spec, before);
}

/** Fields that go together, with the services that have a use for them. */
const fieldsByUse: readonly (readonly [
  isUsedBy: (spec: Spec) => boolean,
  fields: readonly (readonly (keyof Spec)[])[],
])[] = [
  [needsAddress, [["clusterIP", "clusterIPs"], ["ipFamilies"], ["ipFamilyPolicy"]]],
  [needsHealthPort, [["healthCheckNodePort"]]],
  [isLoadBalancer, [["allocateLoadBalancerNodePorts"], ["loadBalancerClass"]]],
  [isReachedFromOutside, [["externalTrafficPolicy"]]],
];

function dropUnchanged(
  spec: Spec,
  before: Spec,
  groups: readonly (readonly (keyof Spec)[])[],
): void {
  for (const group of groups) {
    if (!group.every((field) => sameMeaning(spec[field], before[field]))) continue;
    for (const field of group) delete spec[field];
  }
}

function keepAddresses(spec: Spec, before: Spec): void {
  if (!needsAddress(before)) return;
  const hasList = itemsOf(spec.clusterIPs).length > 0;
  const isSame = spec.clusterIP === before.clusterIP;
  if (needsAddress(spec) && !spec.clusterIP && !hasList) {
    if (before.clusterIP) spec.clusterIP = before.clusterIP;
    if (before.clusterIPs) spec.clusterIPs = [...before.clusterIPs];
  } else if (isSame && !hasList && before.clusterIPs) {
    spec.clusterIPs = [...before.clusterIPs];
  }
  if (!needsAddress(spec)) return;
  spec.ipFamilyPolicy ??= before.ipFamilyPolicy;
  if (itemsOf(spec.ipFamilies).length === 0 && before.ipFamilies) {
    spec.ipFamilies = [...before.ipFamilies];
  }
}

/** A port keeps what it was given, by its name. */
function keepNodePorts(spec: Spec, before: Spec): void {
  const used = new Set(itemsOf(spec.ports).map(({ nodePort }) => nodePort));
  const given = new Map(itemsOf(before.ports).map(({ name, nodePort }) => [name ?? "", nodePort]));
  for (const port of itemsOf(spec.ports)) {
    const old = given.get(port.name ?? "");
    if (!port.nodePort && old && !used.has(old)) port.nodePort = old;
  }
}

/** Not where one is among them that the service did not have. */
function dropNodePorts(spec: Spec, before: Spec): void {
  const given = new Set(itemsOf(before.ports).map(({ nodePort }) => nodePort));
  const ports = itemsOf(spec.ports);
  if (ports.some(({ nodePort }) => nodePort && !given.has(nodePort))) return;
  for (const port of ports) delete port.nodePort;
}

function needsAddress({ type }: Spec): boolean {
  return type !== "ExternalName";
}

function needsNodePorts(spec: Spec): boolean {
  return spec.type === "NodePort" || isLoadBalancer(spec);
}

function needsHealthPort(spec: Spec): boolean {
  return isLoadBalancer(spec) && spec.externalTrafficPolicy === "Local";
}

function isLoadBalancer({ type }: Spec): boolean {
  return type === "LoadBalancer";
}

function isReachedFromOutside(spec: Spec): boolean {
  const hasExternalIps = spec.type === "ClusterIP" && itemsOf(spec.externalIPs).length > 0;
  return needsNodePorts(spec) || hasExternalIps;
}
