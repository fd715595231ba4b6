import type { PersistentVolumeClaim } from "#api/generated/types.ts";
import { checkClaimSpec } from "#api/strategies/core/claim-spec.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkAmount } from "#api/strategies/core/pod/resources.ts";
import { differences, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { entriesOf, type Filling, type Given, objectIn } from "#api/validation/given.ts";
import { nanosOf } from "#api/validation/quantity.ts";

export const persistentVolumeClaimStrategy = strategyFor<PersistentVolumeClaim>({
  hasGeneration: false,
  fillDefaults: fillClaim,
  prepareForCreate(claim) {
    claim.status = { phase: "Pending" };
    useOneSource(claim);
  },
  validate(root, claim) {
    checkClaimSpec(root.child("spec"), claim.spec ?? {});
  },
  validateUpdate: checkUpdate,
  validateStatusUpdate(root, claim) {
    for (const [name, amount] of entriesOf(claim.status?.capacity)) {
      checkAmount(root.child("status", "capacity").key(name), name, amount);
    }
  },
});

/** Also for the claim templates of stateful sets. */
export function fillClaim(claim: Filling<PersistentVolumeClaim>): void {
  objectIn(claim, "status").phase ||= "Pending";
  const spec = objectIn(claim, "spec");
  spec.volumeMode ??= "Filesystem";
  const resources = objectIn(spec, "resources");
  roundAmounts(resources.limits);
  roundAmounts(resources.requests);
}

/** `dataSource` and `dataSourceRef` are two names of one thing, except across namespaces. */
function useOneSource(claim: Filling<PersistentVolumeClaim>): void {
  const spec = objectIn(claim, "spec");
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSourceRef.namespace && !spec.dataSource) {
    const { apiGroup, kind, name } = spec.dataSourceRef;
    spec.dataSource = { ...(apiGroup && { apiGroup }), kind, name };
  }
}

/** A bound claim may grow; an unbound one may besides be given its volume and class. */
function checkUpdate(
  root: Field,
  claim: Given<PersistentVolumeClaim>,
  old: Given<PersistentVolumeClaim>,
): void {
  const field = root.child("spec");
  const spec = claim.spec ?? {};
  const before = old.spec ?? {};
  const bound = old.status?.phase === "Bound";
  const mayBind = !before.volumeName && Boolean(spec.volumeName);
  const kept = {
    ...spec,
    ...(mayBind && { volumeName: before.volumeName }),
    ...(!before.storageClassName && { storageClassName: before.storageClassName }),
    ...(bound && { resources: { ...spec.resources, requests: before.resources?.requests } }),
    volumeAttributesClassName: before.volumeAttributesClassName,
  };
  if (!sameMeaning(kept, before)) {
    const changes = differences(before, kept, "spec").join("\n");
    const rule =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    field.forbidden(`${rule}\n${changes}`);
  }
  const wanted = nanosOf(spec.resources?.requests?.["storage"]);
  const asked = nanosOf(before.resources?.requests?.["storage"]);
  const granted = nanosOf(old.status?.capacity?.["storage"]);
  // Asking for less than before undoes a growth that could not be had, but no more.
  const isLess = wanted !== undefined && asked !== undefined && wanted < asked;
  if (bound && isLess && granted !== undefined && wanted <= granted) {
    field
      .child("resources", "requests", "storage")
      .forbidden("field can not be less than status.capacity");
  }
}
