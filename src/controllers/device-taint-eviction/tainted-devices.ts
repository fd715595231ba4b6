import type {
  Device,
  DeviceRequestAllocationResult,
  ResourceSlice,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import type { Change, Informer } from "#client/informer.ts";
import { isEvicting } from "#controllers/device-taint-eviction/plan-device-eviction.ts";
import { sameJson } from "#controllers/same-json.ts";

/** Slices by the devices in them that drive pods out, and by their pool. */
export const evictingDeviceIndexes = {
  evictingDevice: (slice: ResourceSlice): readonly string[] => [...evictingDevices(slice).keys()],
  devicePool: ({ spec }: ResourceSlice): readonly string[] => [poolKey(spec)],
};

/** Claims by the devices they have. */
export const allocatedDeviceIndex = {
  allocatedDevice: (claim: ResourceClaim): readonly string[] => devicesOf(claim).map(deviceKey),
};

export function devicesOf({ status }: ResourceClaim): readonly DeviceRequestAllocationResult[] {
  return status?.allocation?.devices?.results ?? [];
}

export function deviceKey({ driver, pool, device }: DeviceRequestAllocationResult): string {
  return `${driver}/${pool}/${device}`;
}

/** The device as its pool's newest generation has it, if that has it with a taint that drives pods out. */
export function evictingDevice(
  slices: Informer<ResourceSlice>,
  result: DeviceRequestAllocationResult,
): Device | undefined {
  const key = deviceKey(result);
  const found = [...slices.byIndex("evictingDevice", key)];
  if (found.length === 0) return undefined;
  let newest = Number.NEGATIVE_INFINITY;
  for (const { spec } of slices.byIndex("devicePool", `${result.driver}/${result.pool}`)) {
    newest = Math.max(newest, spec.pool.generation);
  }
  const current = found.find(({ spec }) => spec.pool.generation === newest);
  return current && evictingDevices(current).get(key);
}

/** Keys of the devices that drive pods out, or no longer, since the change. */
export function devicesAffected(
  slices: Informer<ResourceSlice>,
  change: Change<ResourceSlice>,
): ReadonlySet<string> {
  const after = evictingDevices(change.object);
  if (change.kind === "modified" && isSameGeneration(change)) {
    const before = evictingDevices(change.old);
    const keys = new Set([...before.keys(), ...after.keys()]);
    return new Set(
      [...keys].filter((key) => !sameJson(before.get(key)?.taints, after.get(key)?.taints)),
    );
  }
  // Which of the pool's slices count may be another matter now.
  const old = change.kind === "modified" ? [change.old] : [];
  const pool = [...slices.byIndex("devicePool", poolKey(change.object.spec)), ...old];
  return new Set([...after.keys(), ...pool.flatMap((slice) => [...evictingDevices(slice).keys()])]);
}

function isSameGeneration({ old, object }: { old: ResourceSlice; object: ResourceSlice }): boolean {
  const { generation } = object.spec.pool;
  return poolKey(old.spec) === poolKey(object.spec) && old.spec.pool.generation === generation;
}

function poolKey({ driver, pool }: ResourceSlice["spec"]): string {
  return `${driver}/${pool.name}`;
}

/** By `DRIVER/POOL/DEVICE`. */
function evictingDevices({ spec }: ResourceSlice): ReadonlyMap<string, Device> {
  const tainted = (spec.devices ?? []).filter(({ taints }) => taints?.some(isEvicting));
  return new Map(tainted.map((device) => [`${poolKey(spec)}/${device.name}`, device]));
}
