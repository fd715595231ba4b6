import type {
  Pod,
  PodResourceClaim,
  PodResourceClaimStatus,
  ResourceClaimTemplate,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";
import { controllerRefTo, isControlledBy } from "#reconcile/owners.ts";

export const podClaimAnnotation = "resource.kubernetes.io/pod-claim-name";
/** Kept on a claim as long as it is allocated. */
const allocationFinalizer = "resource.kubernetes.io/delete-protection";

export type PodClaimAction =
  /** The claim is there: the pod's status is to name it. */
  | { readonly kind: "use"; readonly entry: PodResourceClaimStatus }
  | { readonly kind: "create"; readonly name: string; readonly template: string };

/** What a pod still lacks of the claims that are made from templates. */
export function planPodClaims(
  pod: Pod,
  owned: readonly ResourceClaim[],
): readonly PodClaimAction[] {
  if (isPodFinished(pod) || pod.metadata.deletionTimestamp !== undefined) return [];
  const known = new Set((pod.status?.resourceClaimStatuses ?? []).map(({ name }) => name));
  return (pod.spec?.resourceClaims ?? []).flatMap((wanted): PodClaimAction[] => {
    const { name, resourceClaimTemplateName: template } = wanted;
    if (template === undefined || known.has(name)) return [];
    const claim = owned.find(
      (one) =>
        one.metadata.annotations?.[podClaimAnnotation] === name &&
        one.metadata.deletionTimestamp === undefined,
    );
    if (claim === undefined) return [{ kind: "create", name, template }];
    return [{ kind: "use", entry: { name, resourceClaimName: nameOf(claim) } }];
  });
}

export function claimFrom(pod: Pod, name: string, template: ResourceClaimTemplate): ResourceClaim {
  const { labels, annotations } = template.spec.metadata ?? {};
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      generateName: `${nameOf(pod)}-${name}-`,
      namespace: namespaceOf(pod),
      ...(labels && { labels }),
      annotations: { ...annotations, [podClaimAnnotation]: name },
      ownerReferences: [controllerRefTo(pods, pod)],
    },
    spec: template.spec.spec,
  };
}

/** The name of the claim that one entry of a pod means; undefined while it is not made. */
export function claimNameOf(
  pod: Pod,
  { name, resourceClaimName }: PodResourceClaim,
): string | undefined {
  if (resourceClaimName !== undefined) return resourceClaimName;
  const entry = pod.status?.resourceClaimStatuses?.find((one) => one.name === name);
  return entry?.resourceClaimName;
}

export interface ClaimPlan {
  /** The claim with who still uses it, and without its devices when nobody does. */
  readonly status?: ResourceClaim;
  /** It may go: what is allocated no longer stands in the way. */
  readonly unprotect?: ResourceClaim;
  /** It was made for a pod that has ended. */
  readonly remove: boolean;
}

/** Who uses a claim is whoever is reserved, lives and has not ended. */
export function planClaim(
  claim: ResourceClaim,
  {
    podOf,
    owner,
  }: {
    readonly podOf: (name: string) => Pod | undefined;
    /** The pod that it was made for. */
    readonly owner: Pod | undefined;
  },
): ClaimPlan {
  const reserved = claim.status?.reservedFor ?? [];
  const users = reserved.filter(({ resource, apiGroup = "", name, uid }) => {
    if (resource !== "pods" || apiGroup !== "") return true;
    const pod = podOf(name);
    return pod?.metadata.uid === uid && !isDone(pod);
  });
  const free = users.length === 0;
  const leaving = claim.metadata.deletionTimestamp !== undefined;
  const isOwned = owner !== undefined && isControlledBy(claim, owner);
  const isEnded = isOwned && isDone(owner);
  const allocated = claim.status?.allocation !== undefined;
  // Devices are kept for the next pod, unless there will be none.
  const release = allocated && free && (reserved.length > 0 || leaving || isEnded);
  const {
    allocation: _allocation,
    devices: _devices,
    reservedFor: _users,
    ...rest
  } = claim.status ?? {};
  const changed = users.length < reserved.length || release;
  const status = release ? rest : { ...claim.status, reservedFor: users };
  const { finalizers = [] } = claim.metadata;
  const held = finalizers.includes(allocationFinalizer);
  return {
    ...(changed && { status: { ...claim, status } }),
    // The scheduler protects a claim before it gives it devices; a claim without any is left to it unless it is to go.
    ...(held && !allocated && free && leaving && { unprotect: unprotected(claim) }),
    remove: isEnded && !leaving,
  };
}

/** The claim as it may go. */
export function unprotected(claim: ResourceClaim): ResourceClaim {
  const { finalizers = [], ...metadata } = claim.metadata;
  const others = finalizers.filter((one) => one !== allocationFinalizer);
  return {
    ...claim,
    metadata: { ...metadata, ...(others.length > 0 && { finalizers: others }) },
  };
}

function isDone(pod: Pod | undefined): boolean {
  if (pod === undefined || isPodFinished(pod)) return true;
  return pod.metadata.deletionTimestamp !== undefined && !pod.spec?.nodeName;
}
