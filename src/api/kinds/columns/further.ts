import type { Column, JsonObject } from "#api/kind.ts";
import { age, at, column, count, name, number, objects, text } from "#api/kinds/columns/cells.ts";

/** The columns of groups with a kind or two, by group and kind. */
export const furtherColumns: Readonly<Record<string, Readonly<Record<string, readonly Column[]>>>> =
  {
    "apiregistration.k8s.io": {
      APIService: [
        name,
        column("Service", "Who serves the group version", (object) => {
          const service = at(object, "spec", "service");
          if (service === undefined) return "Local";
          return `${text(service, "namespace")}/${text(service, "name")}`;
        }),
        column("Available", "Whether it is served", available),
        age,
      ],
    },
    "coordination.k8s.io": {
      Lease: [
        name,
        column("Holder", "Who holds the lease", (lease) => text(lease, "spec", "holderIdentity")),
        age,
      ],
    },
    "node.k8s.io": {
      RuntimeClass: [
        name,
        column("Handler", "The runtime's configuration", (object) => text(object, "handler")),
        age,
      ],
    },
    policy: {
      PodDisruptionBudget: [
        name,
        column(
          "Min Available",
          "Fewest pods that must be available",
          (budget) => text(budget, "spec", "minAvailable") || "N/A",
        ),
        column(
          "Max Unavailable",
          "Most pods that may be unavailable",
          (budget) => text(budget, "spec", "maxUnavailable") || "N/A",
        ),
        count("Allowed Disruptions", "Pods that may be evicted now", (budget) =>
          number(budget, "status", "disruptionsAllowed"),
        ),
        age,
      ],
    },
    "resource.k8s.io": {
      DeviceClass: [name, age],
      ResourceClaim: [name, column("State", "How the claim is", claimState), age],
      ResourceClaimTemplate: [name, age],
      ResourceSlice: [
        name,
        column("Node", "The node with the devices", (slice) => text(slice, "spec", "nodeName")),
        column("Driver", "Driver of the devices", (slice) => text(slice, "spec", "driver")),
        column("Pool", "The pool the slice is part of", (slice) =>
          text(slice, "spec", "pool", "name"),
        ),
        age,
      ],
    },
    "scheduling.k8s.io": {
      PriorityClass: [
        name,
        count("Value", "Higher numbers go first", (object) => number(object, "value")),
        column(
          "Global-Default",
          "Whether pods without a class get this one",
          (object) => at(object, "globalDefault") === true,
          { type: "boolean" },
        ),
        age,
        column("PreemptionPolicy", "Whether pods may push others aside", (object) =>
          text(object, "preemptionPolicy"),
        ),
      ],
    },
  };

function available(object: JsonObject): string {
  const conditions = objects(object, "status", "conditions");
  const condition = conditions.find((one) => text(one, "type") === "Available");
  if (condition === undefined) return "Unknown";
  const status = text(condition, "status");
  return status === "True" ? status : `${status} (${text(condition, "reason")})`;
}

function claimState(claim: JsonObject): string {
  const isDeleted = at(claim, "metadata", "deletionTimestamp") !== undefined;
  const states = isDeleted ? ["deleted"] : [];
  if (at(claim, "status", "allocation") === undefined) {
    return isDeleted ? "deleted" : "pending";
  }
  states.push("allocated");
  if (objects(claim, "status", "reservedFor").length > 0) states.push("reserved");
  return states.join(",");
}
