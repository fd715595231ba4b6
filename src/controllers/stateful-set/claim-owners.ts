import type {
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { pods, statefulSets } from "#api/resources.ts";
import { controllerRefOf, controllerRefTo } from "#reconcile/owners.ts";

/**
 * The owners that a claim of a StatefulSet's pod is to have, as `persistentVolumeClaimRetentionPolicy` wants it: what
 * its owner takes along when it goes. Undefined: as it is, or somebody else's business.
 */
export function planClaimOwners(
  claim: PersistentVolumeClaim,
  { set, pod, isSurplus }: ClaimUser,
): readonly OwnerReference[] | undefined {
  const owners = claim.metadata.ownerReferences ?? [];
  if (isOthers(claim, { set, pod })) return undefined;
  const { whenDeleted = "Retain", whenScaled = "Retain" } =
    set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const bySet = whenDeleted === "Delete" && !(whenScaled === "Delete" && isSurplus);
  const byPod = whenScaled === "Delete" && isSurplus;
  const others = owners.filter(({ uid }) => uid !== set.metadata.uid && uid !== pod.metadata.uid);
  const wanted = [
    ...others,
    ...(bySet ? [controllerRefTo(statefulSets, set)] : []),
    ...(byPod ? [controllerRefTo(pods, pod)] : []),
  ];
  const same = wanted.length === owners.length && wanted.every((one) => includes(owners, one));
  return same ? undefined : wanted;
}

export interface ClaimUser {
  readonly set: StatefulSet;
  readonly pod: Pod;
  /** It goes because there are fewer replicas. */
  readonly isSurplus: boolean;
}

/** Whether the claim goes with a former pod of the name: a new one must wait until it is gone. */
export function isStale(
  claim: PersistentVolumeClaim,
  { podName, podUid }: { readonly podName: string; readonly podUid: string | undefined },
): boolean {
  if (claim.metadata.deletionTimestamp !== undefined) return true;
  return (claim.metadata.ownerReferences ?? []).some(
    ({ kind, name, uid }) => kind === "Pod" && name === podName && uid !== podUid,
  );
}

function isOthers(
  claim: PersistentVolumeClaim,
  { set, pod }: { readonly set: StatefulSet; readonly pod: Pod },
): boolean {
  const policy = set.spec?.persistentVolumeClaimRetentionPolicy;
  if (policy?.whenDeleted !== "Delete" && policy?.whenScaled !== "Delete") {
    const known = claim.metadata.ownerReferences ?? [];
    return known.every(({ uid }) => uid !== set.metadata.uid && uid !== pod.metadata.uid);
  }
  const controller = controllerRefOf(claim);
  if (controller === undefined) return false;
  const isOwn = controller.uid === set.metadata.uid || controller.uid === pod.metadata.uid;
  return !isOwn && !(controller.kind === "Pod" && controller.name === nameOf(pod));
}

function includes(owners: readonly OwnerReference[], wanted: OwnerReference): boolean {
  return owners.some(
    ({ uid, controller }) => uid === wanted.uid && controller === wanted.controller,
  );
}
