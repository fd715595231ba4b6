import type { CSIDriver, CSINode, CSIStorageCapacity } from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkFormat,
  checkOneOfIfSet,
  checkQuantity,
  checkRequired,
  checkUnique,
} from "#api/validation/checks.ts";
import { checkImmutable, sameMeaning } from "#api/validation/equality.ts";
import { qualifiedNameProblems } from "#api/validation/formats.ts";
import { itemsOf, objectIn } from "#api/validation/given.ts";
import { checkLabelSelector } from "#api/validation/labels.ts";

const driverNameMaxLength = 63;
const tokenMinSeconds = 600;

export const csiDriverStrategy = strategyFor<CSIDriver>({
  unconditionalUpdate: false,
  fillDefaults(driver) {
    const spec = objectIn(driver, "spec");
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ["Persistent"];
  },
  validate(root, driver) {
    const name = driver.metadata?.name ?? "";
    const field = root.child("spec");
    if (name.length > driverNameMaxLength)
      root.child("metadata", "name").tooLong(driverNameMaxLength);
    checkOneOfIfSet(field.child("fsGroupPolicy"), driver.spec?.fsGroupPolicy, [
      "File",
      "None",
      "ReadWriteOnceWithFSType",
    ]);
    for (const mode of itemsOf(driver.spec?.volumeLifecycleModes)) {
      checkOneOfIfSet(field.child("volumeLifecycleModes"), mode, ["Ephemeral", "Persistent"]);
    }
    const requests = itemsOf(driver.spec?.tokenRequests);
    for (const [index, request] of requests.entries()) {
      const seconds = request.expirationSeconds;
      const at = field.child("tokenRequests").index(index).child("expirationSeconds");
      if (typeof seconds === "number" && seconds < tokenMinSeconds) {
        at.invalid(seconds, "may not specify a duration less than 10 minutes");
      }
    }
    checkUnique(
      requests,
      (request) => request.audience ?? "",
      (index, audience) =>
        field.child("tokenRequests").index(index).child("audience").duplicate(audience),
    );
  },
  validateUpdate(root, driver, old) {
    const field = root.child("spec");
    for (const name of ["attachRequired", "volumeLifecycleModes"] as const) {
      checkImmutable(field.child(name), driver.spec?.[name], old.spec?.[name]);
    }
  },
});

export const csiNodeStrategy = strategyFor<CSINode>({
  hasGeneration: false,
  unconditionalUpdate: false,
  validate(root, csiNode) {
    const drivers = itemsOf(csiNode.spec?.drivers);
    const field = root.child("spec", "drivers");
    for (const [index, driver] of drivers.entries()) {
      const at = field.index(index);
      checkFormat(at.child("name"), driver.name, dns1123SubdomainProblems);
      checkRequired(at.child("nodeID"), driver.nodeID);
      for (const key of itemsOf(driver.topologyKeys)) {
        at.child("topologyKeys").invalidAll(key, qualifiedNameProblems(key));
      }
    }
    checkUnique(
      drivers,
      (driver) => driver.name ?? "",
      (index, name) => field.index(index).child("name").duplicate(name),
    );
  },
  validateUpdate(root, csiNode, old) {
    const before = itemsOf(old.spec?.drivers);
    for (const [index, driver] of itemsOf(csiNode.spec?.drivers).entries()) {
      const known = before.filter((other) => other.name === driver.name);
      const kept = known.some(({ allocatable, ...rest }) =>
        sameMeaning({ ...driver, allocatable }, { ...rest, allocatable }),
      );
      if (known.length > 0 && !kept) {
        root.child("spec", "drivers").index(index).invalid(driver, "field is immutable");
      }
    }
  },
});

export const csiStorageCapacityStrategy = strategyFor<CSIStorageCapacity>({
  hasGeneration: false,
  unconditionalUpdate: false,
  validate(root, capacity) {
    checkFormat(
      root.child("storageClassName"),
      capacity.storageClassName,
      dns1123SubdomainProblems,
    );
    if (capacity.nodeTopology)
      checkLabelSelector(root.child("nodeTopology"), capacity.nodeTopology);
    if (capacity.capacity) checkQuantity(root.child("capacity"), capacity.capacity);
    if (capacity.maximumVolumeSize) {
      checkQuantity(root.child("maximumVolumeSize"), capacity.maximumVolumeSize);
    }
  },
  validateUpdate(root, capacity, old) {
    checkImmutable(root.child("nodeTopology"), capacity.nodeTopology, old.nodeTopology);
    checkImmutable(root.child("storageClassName"), capacity.storageClassName, old.storageClassName);
  },
});
