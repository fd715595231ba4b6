import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimStatus,
  StorageClass,
} from "#api/generated/types.ts";
import {
  bindCompleted,
  classNameOf,
  findVolume,
  isMeantFor,
  mismatchOf,
  waitsForConsumer,
} from "#reconcile/volume-binding.ts";
import type { RecordedEvent } from "#reconcile/event-recorder.ts";

export interface ObservedClaim {
  readonly claim: PersistentVolumeClaim;
  readonly volumes: Iterable<PersistentVolume>;
  /** The volume that the claim names. */
  readonly named?: PersistentVolume;
  readonly storageClass?: StorageClass;
  /** Of several, the one that new claims get. */
  readonly defaultClass?: string;
  /** Where its first pod is to run, or runs. */
  readonly node?: Node;
}

export type ClaimAction =
  | { readonly kind: "bind"; readonly volume: PersistentVolume }
  | { readonly kind: "provision"; readonly storageClass: StorageClass; readonly node?: Node }
  | { readonly kind: "setClass"; readonly name: string }
  | { readonly kind: "settle"; readonly phase: "Pending" | "Lost"; readonly event?: RecordedEvent };

/** What brings a claim to a volume, as upstream's binder. */
export function planClaim(observed: ObservedClaim): ClaimAction {
  const { claim } = observed;
  const isBound = claim.metadata.annotations?.[bindCompleted] !== undefined;
  if (isBound) return planBound(observed);
  return claim.spec?.volumeName ? planNamed(observed) : planFree(observed);
}

export function claimStatus(
  claim: PersistentVolumeClaim,
  phase: string,
  volume?: PersistentVolume,
): PersistentVolumeClaimStatus {
  const { accessModes: _modes, capacity: known, ...rest } = claim.status ?? {};
  if (volume === undefined) return { ...rest, phase };
  const { accessModes, capacity: whole } = volume.spec ?? {};
  // Once it is bound, whoever resizes the volume says how large it is.
  const capacity = claim.status?.phase === "Bound" ? (known ?? whole) : whole;
  return { ...rest, phase, ...(accessModes && { accessModes }), ...(capacity && { capacity }) };
}

function planBound({ claim, named }: ObservedClaim): ClaimAction {
  const lost = (reason: string, message: string): ClaimAction => ({
    kind: "settle",
    phase: "Lost",
    ...(claim.status?.phase !== "Lost" && { event: { type: "Warning", reason, message } }),
  });
  if (!claim.spec?.volumeName) {
    return lost(
      "ClaimLost",
      "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
    );
  }
  if (named === undefined) {
    const message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    return lost("ClaimLost", message);
  }
  const owner = named.spec?.claimRef;
  if (owner === undefined || owner.uid === claim.metadata.uid)
    return { kind: "bind", volume: named };
  const message = "Two claims are bound to the same volume, this one is bound incorrectly";
  return lost("ClaimMisbound", message);
}

function planNamed({ claim, named }: ObservedClaim): ClaimAction {
  if (named === undefined) return { kind: "settle", phase: "Pending" };
  const name = named.metadata.name ?? "";
  if (named.spec?.claimRef === undefined) {
    const problem = mismatchOf(named, claim, { class: true });
    if (problem === undefined) return { kind: "bind", volume: named };
    const message = `Cannot bind to requested volume "${name}": ${problem}`;
    return pending({ type: "Warning", reason: "VolumeMismatch", message });
  }
  if (isMeantFor(named, claim)) return { kind: "bind", volume: named };
  const message = `volume "${name}" already bound to a different claim.`;
  return pending({ type: "Warning", reason: "FailedBinding", message });
}

function planFree(observed: ObservedClaim): ClaimAction {
  const { claim, volumes, storageClass, defaultClass, node } = observed;
  const delayed = waitsForConsumer(storageClass);
  const volume = findVolume(claim, volumes, { delayed });
  if (volume !== undefined) return { kind: "bind", volume };
  const className = classNameOf(claim);
  if (claim.spec?.storageClassName === undefined && className === "" && defaultClass) {
    return { kind: "setClass", name: defaultClass };
  }
  if (delayed && node === undefined) {
    const message = "waiting for first consumer to be created before binding";
    return pending({ type: "Normal", reason: "WaitForFirstConsumer", message });
  }
  if (className === "") {
    const message = "no persistent volumes available for this claim and no storage class is set";
    return pending({ type: "Normal", reason: "FailedBinding", message });
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io "${className}" not found`;
    return pending({ type: "Warning", reason: "ProvisioningFailed", message });
  }
  return { kind: "provision", storageClass, ...(node && { node }) };
}

function pending(event: RecordedEvent): ClaimAction {
  return { kind: "settle", phase: "Pending", event };
}
