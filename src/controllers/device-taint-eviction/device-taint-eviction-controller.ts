import type {
  Pod,
  ResourceSlice,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf, namespaceOf, parseKey, uidOf } from "#api/meta.ts";
import { pods, resourceClaims, resourceSlices } from "#api/resources.ts";
import type { Change } from "#client/informer.ts";
import {
  isEvicting,
  planDeviceEviction,
  type TaintedUse,
} from "#controllers/device-taint-eviction/plan-device-eviction.ts";
import {
  allocatedDeviceIndex,
  devicesAffected,
  devicesOf,
  evictingDevice,
  evictingDeviceIndexes,
} from "#controllers/device-taint-eviction/tainted-devices.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";
import { claimNameOf } from "#controllers/resource-claim/plan-claim.ts";
import { TimedEvictions, type EvictionWords } from "#controllers/taint-eviction/timed-evictions.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/**
 * Deletes pods whose claims have devices with NoExecute taints that they do not tolerate, or no longer. Unlike
 * upstream's 1.36, also pods that have their devices as extended resources (kubernetes/kubernetes#141290).
 */
export function createDeviceTaintEvictionController(kit: ControllerKit): Controller {
  const { informers, clock, log } = kit;
  const podInformer = informers.of(pods);
  const claimInformer = informers.of(resourceClaims, allocatedDeviceIndex);
  const sliceInformer = informers.of(resourceSlices, evictingDeviceIndexes);
  const evictions = new TimedEvictions(kit, words);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const pod = podInformer.get(parseKey(key));
    if (pod === undefined || pod.metadata.deletionTimestamp) return evictions.forget(key);
    const times = { nowMs: clock.now(), sinceMs: evictions.sinceMs(pod) };
    await evictions.carryOut(pod, planDeviceEviction(taintedUses(pod), times), run);
  };

  const taintedUses = (pod: Pod): readonly TaintedUse[] => {
    if (!pod.spec?.nodeName || isPodFinished(pod)) return [];
    return claimsOf(pod).filter(isReservedFor(pod)).flatMap(taintedUsesOf);
  };

  const claimsOf = (pod: Pod): readonly ResourceClaim[] =>
    claimNamesOf(pod).flatMap(
      (name) => claimInformer.get({ name, namespace: namespaceOf(pod) }) ?? [],
    );

  const taintedUsesOf = (claim: ResourceClaim): readonly TaintedUse[] =>
    devicesOf(claim).flatMap((result) => {
      const { taints = [] } = evictingDevice(sliceInformer, result) ?? {};
      return taints.some(isEvicting) ? [{ taints, tolerations: result.tolerations ?? [] }] : [];
    });

  const podKeys = ({ kind, object }: Change<Pod>): readonly string[] => {
    const key = keyOf(object);
    const isConcerned = kind !== "deleted" && taintedUses(object).length > 0;
    return isConcerned || evictions.isWaiting(key) ? [key] : [];
  };

  const claimUsers = (change: Change<ResourceClaim>): readonly string[] => {
    const seen = change.kind === "modified" ? [change.old, change.object] : [change.object];
    return seen.filter((claim) => taintedUsesOf(claim).length > 0).flatMap(userKeys);
  };

  const sliceUsers = function* (change: Change<ResourceSlice>): Generator<string> {
    for (const device of devicesAffected(sliceInformer, change)) {
      for (const claim of claimInformer.byIndex("allocatedDevice", device)) yield* userKeys(claim);
    }
  };

  return createController({
    name: "device-taint-eviction",
    reads: ["pods", "resourceclaims.resource.k8s.io", "resourceslices.resource.k8s.io"],
    writes: [
      { resource: "pods", fields: "deletion", of: "that do not tolerate a device's taint" },
      {
        resource: "pods",
        fields: "status.conditions.DisruptionTarget",
        of: "to be evicted from a device",
      },
    ],
    sources: [
      keysFrom(podInformer, podKeys),
      keysFrom(claimInformer, claimUsers),
      keysFrom(sliceInformer, sliceUsers),
    ],
    reconcile,
    clock,
    log,
  });
}

const words: EvictionWords = {
  component: "device-taint-eviction-controller",
  eventReason: "DeviceTaintManagerEviction",
  deleting: () => "Marking for deletion",
  cancelling: () => "Cancelling deletion",
  condition: {
    reason: "DeletionByDeviceTaintManager",
    message: "Device Taint manager: deleting due to NoExecute taint",
  },
};

function claimNamesOf(pod: Pod): readonly string[] {
  const named = (pod.spec?.resourceClaims ?? []).flatMap((entry) => claimNameOf(pod, entry) ?? []);
  const extended = pod.status?.extendedResourceClaimStatus?.resourceClaimName;
  return extended ? [...named, extended] : named;
}

function isReservedFor(pod: Pod): (claim: ResourceClaim) => boolean {
  const uid = uidOf(pod);
  return ({ status }) => (status?.reservedFor ?? []).some((user) => user.uid === uid);
}

function userKeys(claim: ResourceClaim): readonly string[] {
  return (claim.status?.reservedFor ?? [])
    .filter(({ apiGroup = "", resource }) => apiGroup === "" && resource === "pods")
    .map(({ name }) => `${namespaceOf(claim)}/${name}`);
}
