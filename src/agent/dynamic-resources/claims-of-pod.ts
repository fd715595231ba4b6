import type { Container, Pod, ResourceV1ResourceClaim } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";

/** A claim that a pod names: for its containers by `key`, in the API by `name`. */
export interface PodClaim {
  readonly key: string;
  readonly name: string;
  /** It was made for this pod alone, from a template. */
  readonly isOwn: boolean;
}

/** The claims of a pod; throws when one is not made yet. A template that needs no claim leaves none. */
export function claimsOf(pod: Pod): readonly PodClaim[] {
  const named = (pod.spec?.resourceClaims ?? []).flatMap((claim): readonly PodClaim[] => {
    const where = `pod "${namespaceOf(pod)}/${nameOf(pod)}"`;
    if (claim.resourceClaimName !== undefined) {
      return [{ key: claim.name, name: claim.resourceClaimName, isOwn: false }];
    }
    if (claim.resourceClaimTemplateName === undefined) {
      throw new Error(
        `${where}, spec.resourceClaim "${claim.name}": none of the supported fields are set`,
      );
    }
    const status = pod.status?.resourceClaimStatuses?.find(({ name }) => name === claim.name);
    if (status === undefined) throw new Error(`${where}: ResourceClaim not created yet`);
    const { resourceClaimName: name } = status;
    return name === undefined ? [] : [{ key: claim.name, name, isOwn: true }];
  });
  const extended = pod.status?.extendedResourceClaimStatus;
  if (extended === undefined) return named;
  return [...named, { key: "", name: extended.resourceClaimName, isOwn: false }];
}

/** The drivers that have something in the claim. Throws, in upstream's words, when the pod may not use it now. */
export function driversFor(
  pod: Pod,
  { name, isOwn }: PodClaim,
  claim: ResourceV1ResourceClaim,
): readonly string[] {
  if (isOwn && !isControlledBy(claim, pod)) {
    const owned = `${namespaceOf(claim)}/${name}`;
    throw new Error(
      `ResourceClaim ${owned} was not created for pod ${namespaceOf(pod)}/${nameOf(pod)} (pod is not owner)`,
    );
  }
  const { reservedFor = [], allocation } = claim.status ?? {};
  if (!reservedFor.some(({ uid }) => uid === uidOf(pod))) {
    throw new Error(
      `pod ${nameOf(pod)} (${uidOf(pod)}) is not allowed to use ResourceClaim ${name} (${uidOf(claim)})`,
    );
  }
  if (allocation === undefined) throw new Error(`ResourceClaim ${name}: not allocated`);
  return [...new Set((allocation.devices?.results ?? []).map(({ driver }) => driver))].toSorted();
}

function isControlledBy(claim: ResourceV1ResourceClaim, pod: Pod): boolean {
  const owners = claim.metadata.ownerReferences ?? [];
  return owners.some(({ controller, uid }) => controller === true && uid === uidOf(pod));
}

/** What a container uses of a claim: one request of it, or all of it (""). */
export interface ClaimUse {
  readonly claim: string;
  readonly request: string;
}

export function usesOf(pod: Pod, container: Container): readonly ClaimUse[] {
  const claims = claimsOf(pod);
  const asked = (container.resources?.claims ?? []).flatMap(({ name, request = "" }) =>
    claims.filter(({ key }) => key === name).map((claim) => ({ claim: claim.name, request })),
  );
  const extended = pod.status?.extendedResourceClaimStatus;
  const mapped = (extended?.requestMappings ?? [])
    .filter(({ containerName }) => containerName === container.name)
    .filter(({ resourceName }) => Number(container.resources?.requests?.[resourceName] ?? 0) !== 0)
    .map(({ requestName }) => ({ claim: extended?.resourceClaimName ?? "", request: requestName }));
  return [...asked, ...mapped];
}
