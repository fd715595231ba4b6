import type { Pod } from "#api/generated/types.ts";
import { mergeLabelKeys } from "#api/strategies/core/pod/match-label-keys.ts";
import { fillPod } from "#api/strategies/core/pod/pod-defaults.ts";
import { checkPodSpec } from "#api/strategies/core/pod/pod-spec.ts";
import { checkPodStatusUpdate } from "#api/strategies/core/pod/pod-status.ts";
import { checkPodUpdate } from "#api/strategies/core/pod/pod-update.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { qualityOfService } from "#api/strategies/core/pod/quality-of-service.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

export const podStrategy = strategyFor<Pod>({
  hasGeneration: true,
  fillDefaults: fillPod,
  prepareForCreate(pod) {
    const gated = itemsOf(pod.spec?.schedulingGates).length > 0;
    pod.status = {
      phase: "Pending",
      ...(gated && { conditions: [gatedCondition] }),
      qosClass: qualityOfService(pod.spec as Given<Pod>["spec"]),
    };
    mergeLabelKeys(pod);
  },
  validate(root, pod) {
    checkAnnotations(root.child("metadata", "annotations"), pod);
    checkPodSpec(root.child("spec"), pod.spec ?? {}, { isPod: true });
    checkTokensHaveAccount(root.child("spec", "volumes"), pod);
    checkInitResizing(root.child("spec", "initContainers"), pod);
  },
  validateUpdate: checkPodUpdate,
  validateStatusUpdate: checkPodStatusUpdate,
  warnings: (pod) => podWarnings("", pod),
  gracePeriodSeconds: graceOf,
  selectableFields: {
    "spec.nodeName": (pod) => pod.spec?.nodeName ?? "",
    "spec.restartPolicy": (pod) => pod.spec?.restartPolicy ?? "",
    "spec.schedulerName": (pod) => pod.spec?.schedulerName ?? "",
    "spec.serviceAccountName": (pod) => pod.spec?.serviceAccountName ?? "",
    "spec.hostNetwork": (pod) => String(pod.spec?.hostNetwork ?? false),
    "status.phase": (pod) => pod.status?.phase ?? "",
    "status.podIP": (pod) => pod.status?.podIP ?? itemsOf(pod.status?.podIPs)[0]?.ip ?? "",
    "status.podIPs": (pod) => pod.status?.podIP ?? itemsOf(pod.status?.podIPs)[0]?.ip ?? "",
    "status.nominatedNodeName": (pod) => pod.status?.nominatedNodeName ?? "",
  },
});

const gatedCondition = {
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
};

/** Nothing has to be stopped for a pod that is on no node or has ended. */
function graceOf(pod: Given<Pod>, asked: number | undefined): number {
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  if (!pod.spec?.nodeName || ended) return 0;
  const seconds = asked ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}

function checkAnnotations(field: Field, pod: Given<Pod>): void {
  const annotations = pod.metadata?.annotations;
  const mirror = annotations?.["kubernetes.io/config.mirror"];
  if (mirror !== undefined && !pod.spec?.nodeName) {
    field
      .key("kubernetes.io/config.mirror")
      .invalid(mirror, "must set spec.nodeName if mirror pod annotation is set");
  }
  const cost = annotations?.["controller.kubernetes.io/pod-deletion-cost"];
  if (cost !== undefined && !isInt32(cost)) {
    field
      .key("controller.kubernetes.io/pod-deletion-cost")
      .invalid(cost, "must be a 32bit integer");
  }
}

function isInt32(text: string): boolean {
  return /^-?(0|[1-9]\d{0,9})$/.test(text) && (Number(text) | 0) === Number(text);
}

/** A token is an account's; a template may be given its account later, a pod has it. */
function checkTokensHaveAccount(field: Field, pod: Given<Pod>): void {
  if (pod.spec?.serviceAccountName) return;
  for (const [index, volume] of itemsOf(pod.spec?.volumes).entries()) {
    for (const [nth, source] of itemsOf(volume.projected?.sources).entries()) {
      if (!source.serviceAccountToken) continue;
      field
        .index(index)
        .child("projected", "sources")
        .index(nth)
        .child("serviceAccountToken")
        .forbidden("must not be specified when serviceAccountName is not set");
    }
  }
}

/** What runs once cannot be run anew to be resized; a pod that is there already may say so. */
function checkInitResizing(field: Field, pod: Given<Pod>): void {
  for (const [index, container] of itemsOf(pod.spec?.initContainers).entries()) {
    if (container.restartPolicy === "Always") continue;
    for (const [nth, { restartPolicy }] of itemsOf(container.resizePolicy).entries()) {
      if (restartPolicy !== "RestartContainer") continue;
      const at = field.index(index).child("resizePolicy").index(nth).child("restartPolicy");
      const rule = "must not be set to 'RestartContainer' for non-sidecar initContainers";
      at.invalid(restartPolicy, rule);
    }
  }
}
