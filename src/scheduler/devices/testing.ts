import type {
  AllocationResult,
  Device,
  DeviceClass,
  DeviceClaim,
  Node,
  ResourceSliceSpec,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { AllocatedDevices } from "#scheduler/devices/allocated-devices.ts";
import { allocate } from "#scheduler/devices/allocator.ts";
import { PublishedPools } from "#scheduler/devices/pools.ts";
import { Selectors } from "#scheduler/devices/selectors.ts";
import { wishesOf } from "#scheduler/devices/wishes.ts";

/** The driver of all devices in these tests. */
export const driver = "gpu.example.com";

export function node(name: string, labels: Record<string, string> = {}): Node {
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
}

function claim(devices: DeviceClaim, name = "claim"): ResourceClaim {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "default" },
    spec: { devices },
  };
}

type SliceGiven = Partial<ResourceSliceSpec> & { devices?: readonly Device[] };

/** What `allocate` is to decide on: slices of node `a` unless they say another place. */
export interface Given {
  readonly slices: readonly SliceGiven[];
  readonly claims: readonly DeviceClaim[];
  readonly classes?: Readonly<Record<string, DeviceClass["spec"]>>;
  /** Results of other claims. */
  readonly used?: readonly NonNullable<
    NonNullable<AllocationResult["devices"]>["results"]
  >[number][];
  readonly on?: Node;
}

export function outcomeOf(given: Given): readonly AllocationResult[] | string {
  const classes: Given["classes"] = { gpu: {}, ...given.classes };
  const claims = given.claims.map((devices, index) => {
    const wishes = wishesOf(claim(devices, `claim-${index}`), (name) =>
      classes[name] === undefined
        ? undefined
        : { apiVersion: "", kind: "", metadata: { name }, spec: classes[name] },
    );
    if (typeof wishes === "string") throw new Error(wishes);
    return wishes;
  });
  const slices = given.slices.map((spec, index) => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: `slice-${index}` },
    spec: {
      driver,
      pool: { name: "pool", generation: 1, resourceSliceCount: 1 },
      ...(spec.allNodes === undefined &&
        spec.nodeSelector === undefined &&
        spec.perDeviceNodeSelection === undefined && { nodeName: "a" }),
      ...spec,
    },
  }));
  const inUse = new AllocatedDevices();
  inUse.set("other", { devices: { results: given.used ?? [] } });
  let shares = 0;
  const parts = {
    claims,
    pools: new PublishedPools(slices),
    inUse,
    selectors: new Selectors(),
    newShareId: () => `share-${++shares}`,
  };
  const outcome = allocate(parts, given.on ?? node("a"));
  return outcome.kind === "allocated" ? outcome.allocations : outcome.reason;
}
