import type { OwnerReference } from "#api/generated/types.ts";
import { nameOf, namespaceOf, placeOf, uidOf, type KubeObject } from "#api/meta.ts";
import { apiVersionOf, type Resource } from "#api/resource.ts";
import { hasReason, isNotFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#client/informer.ts";

/** The reference of the one owner that controls the object. */
export function controllerRefOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerRefOf(object)?.uid === uidOf(owner);
}

/** The reference by which `owner` controls what it makes. */
export function controllerRefTo(resource: Resource, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: nameOf(owner),
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The index under which children are found by their controller. */
export function controllerUidOf(object: KubeObject): readonly string[] {
  const uid = controllerRefOf(object)?.uid;
  return uid === undefined ? [] : [uid];
}

/** Indexes that give an owner its candidates for a claim without a walk over all objects. */
export const claimIndexes = {
  controllerUid: controllerUidOf,
  orphans: (object: KubeObject): readonly string[] =>
    controllerRefOf(object) === undefined ? [namespaceOf(object)] : [],
};

/** What an owner may claim: its children, and the orphans of its namespace. Needs `claimIndexes`. */
export function* claimCandidates<T extends KubeObject>(
  informer: Informer<T>,
  owner: KubeObject,
): Generator<T> {
  yield* informer.byIndex("controllerUid", uidOf(owner));
  yield* informer.byIndex("orphans", namespaceOf(owner));
}

export interface Claim<T> {
  /** What the owner controls after adopting and releasing. */
  readonly owned: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/**
 * What an owner controls, as upstream's `ControllerRefManager`: it adopts orphans that match its selector and
 * releases children that no longer do. An owner being deleted does neither; children being deleted are not adopted.
 */
export function planClaim<T extends KubeObject>(
  owner: KubeObject,
  candidates: Iterable<T>,
  matches: (candidate: T) => boolean,
): Claim<T> {
  const leaving = owner.metadata.deletionTimestamp !== undefined;
  const claim = { owned: [] as T[], adopt: [] as T[], release: [] as T[] };
  for (const candidate of candidates) {
    const controller = controllerRefOf(candidate);
    if (controller !== undefined && controller.uid !== owner.metadata.uid) continue;
    const matching = matches(candidate);
    if (controller !== undefined) {
      if (matching) claim.owned.push(candidate);
      else if (!leaving) claim.release.push(candidate);
    } else if (matching && !leaving && candidate.metadata.deletionTimestamp === undefined) {
      claim.adopt.push(candidate);
    }
  }
  return { ...claim, owned: [...claim.owned, ...claim.adopt] };
}

export interface ClaimParts<T extends KubeObject> {
  readonly client: Client;
  readonly owner: KubeObject;
  readonly ownerResource: Resource;
  readonly resource: Resource<T>;
  /** What children have as long as they are claimed. */
  readonly finalizer?: string;
  readonly signal: AbortSignal;
}

/** Carries a claim out. Before adopting, the owner is read anew: a cache may not yet show that it is being deleted. */
export async function applyClaim<T extends KubeObject>(
  claim: Claim<T>,
  parts: ClaimParts<T>,
): Promise<readonly T[]> {
  const { client, owner, ownerResource, signal } = parts;
  if (claim.adopt.length > 0) {
    const fresh = await client.get(ownerResource, placeOf(owner), { signal });
    if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp) {
      throw new Error(`Cannot adopt for ${ownerResource.kind} "${nameOf(owner)}": it is gone`);
    }
  }
  const gone = new Set<T>();
  const marks = parts.finalizer === undefined ? [] : [parts.finalizer];
  for (const child of claim.adopt) {
    const reference = controllerRefTo(ownerResource, owner);
    const finalizers = marks.length > 0 ? { finalizers: marks } : {};
    if (!(await patchOwners(child, [reference], { ...parts, finalizers }))) gone.add(child);
  }
  for (const child of claim.release) {
    const finalizers = marks.length > 0 ? { "$deleteFromPrimitiveList/finalizers": marks } : {};
    const released = [{ $patch: "delete", uid: uidOf(owner) }];
    await patchOwners(child, released, { ...parts, finalizers });
  }
  return claim.owned.filter((child) => !gone.has(child));
}

/** False when the child is gone, or is another one by now. */
async function patchOwners<T extends KubeObject>(
  child: T,
  ownerReferences: readonly unknown[],
  { client, resource, finalizers, signal }: ClaimParts<T> & { readonly finalizers?: object },
): Promise<boolean> {
  const value = { metadata: { ownerReferences, ...finalizers, uid: uidOf(child) } };
  try {
    await client.patch(resource, placeOf(child), { kind: "strategic", value }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error) || hasReason(error, "Invalid")) return false;
    throw error;
  }
}
