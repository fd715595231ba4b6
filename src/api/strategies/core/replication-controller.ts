import type { ReplicationController } from "#api/generated/types.ts";
import { checkReplicaStatus } from "#api/strategies/apps/replica-set.ts";
import { checkRunsForever } from "#api/strategies/apps/workload.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { checkPodTemplate } from "#api/strategies/core/pod/pod-spec.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative } from "#api/validation/checks.ts";
import {
  entriesOf,
  type Filling,
  isEmpty,
  objectIn,
  setWhereUnset,
} from "#api/validation/given.ts";

/** The one workload whose selector and labels come from its template where they are missing. */
export const replicationControllerStrategy = strategyFor<ReplicationController>({
  dependents: "orphan",
  fillDefaults,
  validate(root, controller) {
    const field = root.child("spec");
    const { selector, template, replicas, minReadySeconds } = controller.spec ?? {};
    checkNonNegative(field.child("minReadySeconds"), minReadySeconds);
    if (isEmpty(selector)) field.child("selector").required();
    if (typeof replicas === "number") checkNonNegative(field.child("replicas"), replicas);
    else field.child("replicas").required();
    if (!template) return field.child("template").required();
    const labels = template.metadata?.labels;
    if (entriesOf(selector).some(([key, value]) => labels?.[key] !== value)) {
      field
        .child("template", "metadata", "labels")
        .invalid(labels ?? null, "`selector` does not match template `labels`");
    }
    checkPodTemplate(field.child("template"), template);
    checkRunsForever(field.child("template", "spec"), template, "replication controller");
  },
  validateStatusUpdate(root, controller) {
    checkReplicaStatus(root.child("status"), controller.status);
  },
  warnings: (controller) => podWarnings("spec.template.", controller.spec?.template),
  selectableFields: {
    "status.replicas": (controller) => String(controller.status?.replicas ?? 0),
  },
});

function fillDefaults(controller: Filling<ReplicationController>): void {
  const spec = objectIn(controller, "spec");
  const labels = spec.template?.metadata?.labels;
  if (labels) {
    if (isEmpty(spec.selector)) spec.selector = { ...labels };
    const metadata = objectIn(controller, "metadata");
    if (isEmpty(metadata.labels)) metadata.labels = { ...labels };
  }
  setWhereUnset(spec, { replicas: 1 });
  fillPodTemplate(spec.template);
}
