import type {
  AllocationResult,
  Pod,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf, uidOf } from "#api/meta.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";
import { bindClaim, type ClaimWriter } from "#scheduler/devices/bind-claims.ts";
import {
  bindingTimeoutMs,
  hasBindingConditions,
  readinessOf,
  timedOut,
  type Readiness,
} from "#scheduler/devices/binding-conditions.ts";
import {
  createExtendedClaim,
  tellExtendedClaim,
  type ExtendedClaim,
} from "#scheduler/devices/extended-claim.ts";
import type { DeviceInventory } from "#scheduler/devices/device-inventory.ts";
import { isReservedFor } from "#scheduler/devices/pod-device-claims.ts";

export interface PodBinder extends ClaimWriter {
  readonly recorder: EventRecorder;
  readonly devices: DeviceInventory;
}

/** What a pod got when its node was chosen. */
export interface ReservedClaims {
  readonly claims: readonly ResourceClaim[];
  /** What was promised, by the uid of the claim. */
  readonly allocations: ReadonlyMap<string, AllocationResult>;
  /** Claims that the API server has as the pod's since. */
  readonly bound: ResourceClaim[];
  /** To be made for the pod's extended resources. */
  readonly extended: ExtendedClaim | undefined;
  /** It is made; as it is in `bound`. */
  made?: ResourceClaim;
}

interface BoundPod {
  readonly pod: Pod;
  readonly nodeName: string;
}

/** Writes the pod's claims, and waits for the drivers whose devices need time. Throws when that fails or takes too long. */
export async function bindPodClaims(
  binder: PodBinder,
  reserved: ReservedClaims,
  to: BoundPod,
): Promise<void> {
  const { claims, allocations, bound } = reserved;
  for (const claim of claims) {
    if (isReservedFor(claim, to.pod)) continue;
    const allocation = allocations.get(uidOf(claim));
    const written = await bindClaim(binder, claim, { pod: to.pod, allocation });
    binder.devices.kept(written);
    bound.push(written);
  }
  if (reserved.extended) await bindExtended(binder, reserved, to.pod);
  const known = claims.map(
    (claim) => bound.find((written) => uidOf(written) === uidOf(claim)) ?? claim,
  );
  const latest = reserved.made ? [...known, reserved.made] : known;
  const waiting = latest.filter(hasBindingConditions);
  if (waiting.length > 0) await untilReady(binder, waiting, to);
}

/** Makes the claim for the pod's extended resources, with the devices that were promised for it. */
async function bindExtended(binder: PodBinder, reserved: ReservedClaims, pod: Pod): Promise<void> {
  const { allocations, bound, extended } = reserved;
  if (extended === undefined) return;
  const promised = extended.wishes.claim;
  const created = await createExtendedClaim(binder, extended);
  binder.devices.handOver(promised, created);
  reserved.made = created;
  bound.push(created);
  const allocation = allocations.get(uidOf(promised));
  const written = await bindClaim(binder, created, { pod, allocation });
  binder.devices.kept(written);
  bound.splice(bound.indexOf(created), 1, written);
  reserved.made = written;
  await tellExtendedClaim(binder, pod, { claim: written, mappings: extended.mappings });
}

async function untilReady(
  { clock, devices, recorder, signal }: PodBinder,
  claims: readonly ResourceClaim[],
  { pod, nodeName }: BoundPod,
): Promise<void> {
  recorder.record(pod, {
    type: "Normal",
    reason: "BindingConditionsPending",
    message: `waiting for binding conditions for device on node ${nodeName}`,
  });
  const late = new AbortController();
  const tooLate = new Error(claims.map(timedOut)[0]);
  const cancel = clock.after(bindingTimeoutMs, () => late.abort(tooLate));
  let failure: string | undefined;
  const isSettled = (): boolean => {
    const states = claims.map((claim) => readinessNow(claim, { devices, pod, nowMs: clock.now() }));
    failure = states.find((state) => typeof state === "object")?.failure;
    return failure !== undefined || states.every((state) => state === "ready");
  };
  try {
    await devices.until(isSettled, AbortSignal.any([signal, late.signal]));
  } finally {
    cancel();
  }
  if (failure !== undefined) throw new Error(failure);
}

/** `claim` is as it was written; what is known may be from before. */
function readinessNow(
  claim: ResourceClaim,
  { devices, pod, nowMs }: { devices: DeviceInventory; pod: Pod; nowMs: number },
): Readiness {
  const key = keyOf(claim);
  const latest = devices.claim(key);
  if (latest === undefined || uidOf(latest) !== uidOf(claim)) {
    return { failure: `claim ${key} got deleted in the meantime` };
  }
  if (Number(latest.metadata.resourceVersion) < Number(claim.metadata.resourceVersion)) {
    return "pending";
  }
  if (!isReservedFor(latest, pod)) {
    return { failure: `claim ${key} got deallocated elsewhere in the meantime` };
  }
  return readinessOf(latest, nowMs);
}
