import type { Pod, ResourceV1ResourceClaim as ResourceClaim } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { isControlledBy } from "#reconcile/owners.ts";

/** The claims of a pod in their order; a text in upstream's words says why the pod cannot have them yet. */
export function deviceClaimsOf(
  pod: Pod,
  claimOf: (key: string) => ResourceClaim | undefined,
): readonly ResourceClaim[] | string {
  const namespace = namespaceOf(pod);
  const claims: ResourceClaim[] = [];
  for (const { name, resourceClaimName, resourceClaimTemplateName } of pod.spec?.resourceClaims ??
    []) {
    const made = pod.status?.resourceClaimStatuses?.find((one) => one.name === name);
    const isMade = resourceClaimName === undefined && resourceClaimTemplateName !== undefined;
    if (isMade && made === undefined) {
      return `pod "${namespace}/${nameOf(pod)}": ResourceClaim not created yet`;
    }
    const claimName = isMade ? made?.resourceClaimName : resourceClaimName;
    // The template may be of a kind that needs no claim.
    if (claimName === undefined) continue;
    const claim = claimOf(`${namespace}/${claimName}`);
    if (claim === undefined) return `could not find ResourceClaim "${namespace}/${claimName}"`;
    if (claim.metadata.deletionTimestamp !== undefined) {
      return `resourceclaim "${claimName}" is being deleted`;
    }
    if (isMade && !isControlledBy(claim, pod)) {
      const of = `was not created for Pod ${namespace}/${nameOf(pod)} (Pod is not owner)`;
      return `ResourceClaim ${namespace}/${claimName} ${of}`;
    }
    claims.push(claim);
  }
  return claims;
}

export function isReservedFor({ status }: ResourceClaim, pod: Pod): boolean {
  return status?.reservedFor?.some(({ uid }) => uid === uidOf(pod)) ?? false;
}
