import type {
  AllocationResult,
  Pod,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { resourceClaims } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import { rfc3339, type Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import { isReservedFor } from "#scheduler/devices/pod-device-claims.ts";

export interface ClaimWriter {
  readonly client: Client;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Kept on a claim as long as it has devices; the claims' controller takes it away. */
const finalizer = "resource.kubernetes.io/delete-protection";

/** How often a claim is written again that somebody else has written in between. */
const attemptsMax = 5;

/** Writes that the pod uses the claim, and its devices where it has none yet. Throws when that cannot be. */
export async function bindClaim(
  writer: ClaimWriter,
  claim: ResourceClaim,
  to: { readonly pod: Pod; readonly allocation: AllocationResult | undefined },
): Promise<ResourceClaim> {
  let latest = claim;
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeBinding(writer, latest, to);
    } catch (error) {
      if (!isConflict(error) || attempt === attemptsMax) throw error;
      latest = await readAgain(writer, claim);
    }
  }
}

async function writeBinding(
  { client, clock, signal }: ClaimWriter,
  claim: ResourceClaim,
  { pod, allocation }: { readonly pod: Pod; readonly allocation: AllocationResult | undefined },
): Promise<ResourceClaim> {
  const key = keyOf(claim);
  const { status } = claim;
  if (claim.metadata.deletionTimestamp !== undefined) {
    throw new Error(`claim ${key} got deleted in the meantime`);
  }
  if (allocation && status?.allocation) {
    throw new Error(`claim ${key} got allocated elsewhere in the meantime`);
  }
  const given = allocation ?? status?.allocation;
  if (given === undefined)
    throw new Error(`claim ${key} got deallocated elsewhere in the meantime`);
  const held = allocation ? await protect(client, claim, signal) : claim;
  const user = { resource: "pods", name: nameOf(pod), uid: uidOf(pod) };
  const users = status?.reservedFor ?? [];
  const next = {
    ...held,
    status: {
      ...held.status,
      allocation: allocation ? { ...given, allocationTimestamp: rfc3339(clock.now()) } : given,
      reservedFor: isReservedFor(claim, pod) ? users : [...users, user],
    },
  };
  return client.update(resourceClaims, next, { subresource: "status", signal });
}

async function protect(
  client: Client,
  claim: ResourceClaim,
  signal: AbortSignal,
): Promise<ResourceClaim> {
  const { finalizers = [] } = claim.metadata;
  if (finalizers.includes(finalizer)) return claim;
  const metadata = { ...claim.metadata, finalizers: [...finalizers, finalizer] };
  return client.update(resourceClaims, { ...claim, metadata }, { signal });
}

async function readAgain(
  { client, signal }: ClaimWriter,
  claim: ResourceClaim,
): Promise<ResourceClaim> {
  const at = { namespace: namespaceOf(claim), name: nameOf(claim) };
  const latest = await client.get(resourceClaims, at, { signal });
  if (latest.metadata.uid === claim.metadata.uid) return latest;
  throw new Error(`claim ${keyOf(claim)} got deleted in the meantime`);
}

/** Writes that the pod does not use the claim after all; it keeps its devices. */
export async function unbindClaim(
  { client, signal }: ClaimWriter,
  claim: ResourceClaim,
  pod: Pod,
): Promise<void> {
  const at = { namespace: namespaceOf(claim), name: nameOf(claim) };
  const reservedFor = [{ $patch: "delete", uid: uidOf(pod) }];
  const value = { metadata: { uid: uidOf(claim) }, status: { reservedFor } };
  const options = { subresource: "status", signal };
  try {
    await client.patch(resourceClaims, at, { kind: "strategic", value }, options);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

/** Gives the claim's devices back. Throws when somebody has written the claim in between. */
export async function deallocate(
  { client, signal }: ClaimWriter,
  claim: ResourceClaim,
): Promise<void> {
  const {
    allocation: _allocation,
    devices: _devices,
    reservedFor: _users,
    ...rest
  } = {
    ...claim.status,
  };
  await client.update(
    resourceClaims,
    { ...claim, status: rest },
    { subresource: "status", signal },
  );
}
