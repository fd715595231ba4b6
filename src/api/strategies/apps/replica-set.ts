import type { ReplicaSet } from "#api/generated/types.ts";
import { checkWorkload } from "#api/strategies/apps/workload.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, objectIn, setWhereUnset } from "#api/validation/given.ts";

export const replicaSetStrategy = strategyFor<ReplicaSet>({
  fillDefaults(replicaSet) {
    const spec = objectIn(replicaSet, "spec");
    setWhereUnset(spec, { replicas: 1 });
    fillPodTemplate(spec.template);
  },
  validate(root, replicaSet) {
    checkWorkload(root.child("spec"), replicaSet.spec ?? {}, "replicaset");
  },
  validateUpdate(root, replicaSet, old) {
    checkImmutable(root.child("spec", "selector"), replicaSet.spec?.selector, old.spec?.selector);
  },
  validateStatusUpdate(root, replicaSet) {
    checkReplicaStatus(root.child("status"), replicaSet.status);
  },
  warnings: (replicaSet) => podWarnings("spec.template.", replicaSet.spec?.template),
  selectableFields: {
    "status.replicas": (replicaSet) => String(replicaSet.status?.replicas ?? 0),
  },
});

type Status = Given<ReplicaSet>["status"];

/** Counts of a replica set's or replication controller's pods: parts are not more than the whole. */
export function checkReplicaStatus(field: Field, status: Status): void {
  checkNonNegative(field.child("replicas"), status?.replicas);
  checkNonNegative(field.child("observedGeneration"), status?.observedGeneration);
  for (const name of ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] as const) {
    checkNonNegative(field.child(name), status?.[name]);
    if ((status?.[name] ?? 0) > (status?.replicas ?? 0)) {
      field.child(name).invalid(status?.[name], "cannot be greater than status.replicas");
    }
  }
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    field
      .child("availableReplicas")
      .invalid(status?.availableReplicas, "cannot be greater than readyReplicas");
  }
}
