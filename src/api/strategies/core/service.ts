import type { Service, ServiceSpec } from "#api/generated/types.ts";
import { checkService, checkServiceUpdate } from "#api/strategies/core/service-validation.ts";
import { followTypeOfService } from "#api/strategies/core/service-changes.ts";
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
    followTypeOfService(spec, (old.spec ?? {}) as Filling<ServiceSpec>);
    mirrorClusterIp(spec);
    if (spec.type !== "LoadBalancer") objectIn(service, "status").loadBalancer = {};
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
