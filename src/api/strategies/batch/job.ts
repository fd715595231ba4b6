import type { Job } from "#api/generated/types.ts";
import { byteLength } from "#api/names.ts";
import { checkJobSpec, checkJobUpdate } from "#api/strategies/batch/job-validation.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative } from "#api/validation/checks.ts";
import { type Filling, isEmpty, objectIn, setWhereUnset } from "#api/validation/given.ts";

const int32Max = 0x7fff_ffff;

export const jobStrategy = strategyFor<Job>({
  dependents: "orphan",
  fillDefaults,
  prepareForCreate(job) {
    job.status = {};
    if (!job.spec?.manualSelector) selectOwnPods(job);
  },
  validate(root, job) {
    const spec = job.spec ?? {};
    checkJobSpec(root.child("spec"), spec);
    if (!spec.selector) root.child("spec", "selector").required();
    const name = job.metadata?.name ?? "";
    const hostname = `${name}-${Math.max((spec.completions ?? 1) - 1, 0)}`;
    if (spec.completionMode === "Indexed" && byteLength(hostname) > 63) {
      root
        .child("metadata", "name")
        .invalid(
          name,
          "will not able to create pod with invalid DNS label: must be no more than 63 bytes",
        );
    }
  },
  validateUpdate(root, job, old) {
    const started = Boolean(old.status?.startTime);
    checkJobUpdate(root.child("spec"), job.spec ?? {}, { spec: old.spec ?? {}, started });
  },
  validateStatusUpdate(root, job, old) {
    const field = root.child("status");
    for (const name of ["active", "succeeded", "failed", "ready", "terminating"] as const) {
      checkNonNegative(field.child(name), job.status?.[name]);
    }
    if (old.status?.completionTime && job.status?.completionTime !== old.status.completionTime) {
      field.child("completionTime").invalid(job.status?.completionTime, "field is immutable");
    }
  },
  warnings(job) {
    const spec = job.spec ?? {};
    const many =
      spec.completionMode === "Indexed" &&
      (spec.completions ?? 0) > 100_000 &&
      (spec.parallelism ?? 0) > 10_000;
    return [
      ...(many
        ? [
            "spec.completions: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
          ]
        : []),
      ...podWarnings("spec.template.", spec.template),
    ];
  },
  selectableFields: { "status.successful": (job) => String(job.status?.succeeded ?? 0) },
});

function fillDefaults(job: Filling<Job>): void {
  const spec = objectIn(job, "spec");
  if ((spec.completions ?? spec.parallelism ?? undefined) === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  setWhereUnset(spec, {
    backoffLimit: typeof spec.backoffLimitPerIndex === "number" ? int32Max : 6,
    completionMode: "NonIndexed",
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed",
  });
  fillPodTemplate(spec.template);
  const labels = spec.template?.metadata?.labels;
  const metadata = objectIn(job, "metadata");
  if (labels && isEmpty(metadata.labels)) metadata.labels = { ...labels };
}

/** A job's uid in its pods' labels keeps them from being taken for those of an earlier job of the same name. */
function selectOwnPods(job: Filling<Job>): void {
  const { uid, name } = objectIn(job, "metadata");
  const spec = objectIn(job, "spec");
  if (!uid || !spec.template) return;
  const labels = objectIn(objectIn(spec.template, "metadata"), "labels");
  if (name) {
    labels["job-name"] = name;
    labels["batch.kubernetes.io/job-name"] = name;
  }
  labels["controller-uid"] = uid;
  labels["batch.kubernetes.io/controller-uid"] = uid;
  const selector = objectIn(spec, "selector");
  objectIn(selector, "matchLabels")["batch.kubernetes.io/controller-uid"] = uid;
}
