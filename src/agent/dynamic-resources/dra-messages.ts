import type { WireTable } from "#base/node/wire-table.ts";

/** Versions of the DRA plugin API that a plugin may offer, by the names it registers with; the newest first. */
export const draServices = ["v1.DRAPlugin", "v1beta1.DRAPlugin"] as const;
export type DraService = (typeof draServices)[number];

/** The package of a version's messages: `k8s.io.kubelet.pkg.apis.dra.v1`. */
export function draPackage(service: DraService): string {
  return `k8s.io.kubelet.pkg.apis.dra.${service.split(".")[0]}`;
}

/** The DRA plugin API of k8s.io/kubelet; `v1beta1` differs in name only, but for `shareId`, which it never has. */
export function draTable(service: DraService): WireTable {
  return {
    package: draPackage(service),
    messages: {
      NodePrepareResourcesRequest: "claims 1 Claim[]",
      NodePrepareResourcesResponse: "claims 1 map:NodePrepareResourceResponse",
      NodePrepareResourceResponse: "devices 1 Device[], error 2 string",
      Device:
        "requestNames 1 string[], poolName 2 string, deviceName 3 string, cdiDeviceIds 4 string[], shareId 5 string",
      NodeUnprepareResourcesRequest: "claims 1 Claim[]",
      NodeUnprepareResourcesResponse: "claims 1 map:NodeUnprepareResourceResponse",
      NodeUnprepareResourceResponse: "error 1 string",
      Claim: "namespace 1 string, uid 2 string, name 3 string",
    },
    enums: {},
    services: [
      {
        name: "DRAPlugin",
        methods: {
          NodePrepareResources: {
            request: "NodePrepareResourcesRequest",
            response: "NodePrepareResourcesResponse",
          },
          NodeUnprepareResources: {
            request: "NodeUnprepareResourcesRequest",
            response: "NodeUnprepareResourcesResponse",
          },
        },
      },
    ],
  };
}

/** How well devices of claims are: `v1alpha1` of k8s.io/kubelet's dra-health. */
export const draHealthTable: WireTable = {
  package: "v1alpha1",
  messages: {
    NodeWatchResourcesRequest: "",
    DeviceIdentifier: "poolName 1 string, deviceName 2 string",
    DeviceHealth:
      "device 1 DeviceIdentifier, health 2 HealthStatus, lastUpdatedTime 3 int64, healthCheckTimeoutSeconds 4 int64, message 5 string",
    NodeWatchResourcesResponse: "devices 1 DeviceHealth[]",
  },
  enums: { HealthStatus: { UNKNOWN: 0, HEALTHY: 1, UNHEALTHY: 2 } },
  services: [
    {
      name: "DRAResourceHealth",
      methods: {
        NodeWatchResources: {
          request: "NodeWatchResourcesRequest",
          response: "NodeWatchResourcesResponse",
          streams: true,
        },
      },
    },
  ],
};
