import type { createClaimService } from "#agent/dynamic-resources/claim-service.ts";
import type { servePodResources } from "#agent/devices/pod-resources.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";

export interface Plugins {
  readonly DeviceManager: typeof DeviceManager;
  readonly createClaimService: typeof createClaimService;
  readonly servePodResources: typeof servePodResources;
}

/** What speaks gRPC with a node's plugins and monitors. Simulated nodes have none, and do without loading gRPC. */
export async function loadPlugins(): Promise<Plugins> {
  const [devices, claims, resources] = await Promise.all([
    import("#agent/devices/device-manager.ts"),
    import("#agent/dynamic-resources/claim-service.ts"),
    import("#agent/devices/pod-resources.ts"),
  ]);
  return {
    DeviceManager: devices.DeviceManager,
    createClaimService: claims.createClaimService,
    servePodResources: resources.servePodResources,
  };
}
