import type { Service, ServiceSpec } from "#api/generated/types.ts";
import { checkService, checkServiceUpdate } from "#api/strategies/core/service-validation.ts";
import { serviceWarnings } from "#api/strategies/core/service-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { type Filling, itemsOf, objectIn, setWhereUnset } from "#api/validation/given.ts";

const affinityTimeoutSeconds = 10_800;

/** Cluster IPs, families and node ports are given out by the API server, which alone knows what is free. */
export const serviceStrategy = strategyFor<Service>({
  hasGeneration: false,
  createOnUpdate: true,
  nameRule: "dns1035Label",
  fillDefaults,
  prepareForCreate(service) {
    service.status = { loadBalancer: {} };
    mirrorClusterIp(objectIn(service, "spec"));
  },
  prepareForUpdate(service, old) {
    const spec = objectIn(service, "spec");
    const before = old.spec ?? {};
    if (spec.type === "ExternalName") dropAllocations(spec);
    else if (before.type !== "ExternalName") keepAllocations(spec, before as Filling<ServiceSpec>);
    mirrorClusterIp(spec);
  },
  validate: (root, service) => checkService(root, service),
  validateUpdate: (root, service, old) => checkServiceUpdate(root, service, old),
  warnings: serviceWarnings,
  selectableFields: {
    "spec.clusterIP": (service) => service.spec?.clusterIP ?? "",
    "spec.type": (service) => service.spec?.type ?? "",
  },
});

function fillDefaults(service: Filling<Service>): void {
  const spec = objectIn(service, "spec");
  setWhereUnset(spec, { sessionAffinity: "None", type: "ClusterIP" });
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    const config = objectIn(spec, "sessionAffinityConfig");
    objectIn(config, "clientIP").timeoutSeconds ??= affinityTimeoutSeconds;
  }
  for (const port of spec.ports ?? []) {
    if (!port) continue;
    setWhereUnset(port, { protocol: "TCP" });
    if (!port.targetPort && port.port) port.targetPort = port.port;
  }
  if (spec.type !== "ExternalName") setWhereUnset(spec, { internalTrafficPolicy: "Cluster" });
  const external = itemsOf(spec.externalIPs).length > 0 && spec.type === "ClusterIP";
  if (spec.type === "NodePort" || spec.type === "LoadBalancer" || external) {
    setWhereUnset(spec, { externalTrafficPolicy: "Cluster" });
  }
  if (spec.type === "LoadBalancer") {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
      if (ingress?.ip) ingress.ipMode ??= "VIP";
    }
  }
}

/** `clusterIP` is the first of `clusterIPs`; a client may know only one of the fields. */
function mirrorClusterIp(spec: Filling<ServiceSpec>): void {
  if (spec.clusterIP && itemsOf(spec.clusterIPs).length === 0) spec.clusterIPs = [spec.clusterIP];
  else if (!spec.clusterIP && spec.clusterIPs?.[0]) spec.clusterIP = spec.clusterIPs[0];
}

/** What a replacing client left out is what it was given before. */
function keepAllocations(spec: Filling<ServiceSpec>, before: Filling<ServiceSpec>): void {
  if (!spec.clusterIP && itemsOf(spec.clusterIPs).length === 0) {
    if (before.clusterIP) spec.clusterIP = before.clusterIP;
    if (before.clusterIPs) spec.clusterIPs = [...before.clusterIPs];
  } else if (spec.clusterIP === before.clusterIP && !spec.clusterIPs && before.clusterIPs) {
    spec.clusterIPs = [...before.clusterIPs];
  }
  spec.ipFamilyPolicy ??= before.ipFamilyPolicy;
  if (itemsOf(spec.ipFamilies).length === 0 && before.ipFamilies) {
    spec.ipFamilies = [...before.ipFamilies];
  }
  if (needsNodePorts(spec) && needsNodePorts(before)) keepNodePorts(spec, before);
  if (needsHealthPort(spec) && needsHealthPort(before) && !spec.healthCheckNodePort) {
    spec.healthCheckNodePort = before.healthCheckNodePort;
  }
  if (!needsNodePorts(spec) && needsNodePorts(before)) dropSameNodePorts(spec, before);
}

function needsNodePorts({ type }: Filling<ServiceSpec>): boolean {
  return type === "NodePort" || type === "LoadBalancer";
}

function needsHealthPort(spec: Filling<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

function keepNodePorts(spec: Filling<ServiceSpec>, before: Filling<ServiceSpec>): void {
  const used = new Set(itemsOf(spec.ports).map((port) => port.nodePort));
  for (const port of itemsOf(spec.ports)) {
    if (port.nodePort) continue;
    const old = itemsOf(before.ports).find(
      (other) => other.port === port.port && other.protocol === port.protocol,
    );
    if (old?.nodePort && !used.has(old.nodePort)) port.nodePort = old.nodePort;
  }
}

/** A service that becomes internal gives back the ports it was given, if the client did not choose them anew. */
function dropSameNodePorts(spec: Filling<ServiceSpec>, before: Filling<ServiceSpec>): void {
  const given = new Set(itemsOf(before.ports).map((port) => port.nodePort));
  for (const port of itemsOf(spec.ports)) {
    if (given.has(port.nodePort)) delete port.nodePort;
  }
  if (spec.externalTrafficPolicy === before.externalTrafficPolicy) {
    if (itemsOf(spec.externalIPs).length === 0) delete spec.externalTrafficPolicy;
  }
  if (spec.type !== "LoadBalancer") delete spec.allocateLoadBalancerNodePorts;
}

function dropAllocations(spec: Filling<ServiceSpec>): void {
  for (const name of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const) {
    delete spec[name];
  }
  delete spec.internalTrafficPolicy;
}
