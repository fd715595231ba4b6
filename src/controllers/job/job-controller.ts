import type { Container, Job, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey, placeOf } from "#api/meta.ts";
import { jobs, pods } from "#api/resources.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { ifFound } from "#api/status.ts";
import { indexAnnotation } from "#controllers/job/indexes.ts";
import { endOf, isJobFinished } from "#controllers/job/job-end.ts";
import { isTracked, planJob, trackingFinalizer, type JobPlan } from "#controllers/job/plan-job.ts";
import { failureAnnotations } from "#controllers/job/pod-failures.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createPod, deletePod, manyAtOnce, slowStart } from "#controllers/pods/pod-control.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";
import {
  applyClaim,
  claimCandidates,
  claimIndexes,
  controllerRefOf,
  controllerRefTo,
  planClaim,
} from "#reconcile/owners.ts";

/** Runs a Job's pods until as many as wanted succeeded, or too many failed; and removes Jobs past their time. */
export function createJobController(kit: ControllerKit, expiry = kit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(jobs);
  const podInformer = informers.of(pods, { ...claimIndexes, trackedJob: trackedJobOf });
  const recorder = kit.recorder("job-controller");
  const control = { client, recorder };

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const job = informer.get(parseKey(key));
    if (job === undefined) return releaseOrphans(key, run.signal);
    if (isManagedElsewhere(job)) return;
    const owned = await claim(job, run.signal);
    run.rest(owned.length);
    if (isJobFinished(job) || job.metadata.deletionTimestamp) {
      await manyAtOnce(owned.filter(isTracked), (pod) => release(pod, run.signal));
      return expire(job, run);
    }
    const plan = planJob({ job, pods: owned, nowMs: clock.now() });
    const failure = await startAndStop(job, { plan, owned }, run.signal);
    if (!sameJson(plan.status, job.status)) {
      const options = { subresource: "status", signal: run.signal };
      const written = await client.update(jobs, { ...job, status: plan.status }, options);
      tellEnd(written, plan);
    }
    await manyAtOnce(plan.release, (pod) => release(pod, run.signal));
    if (plan.againInMs !== undefined) run.requeue(plan.againInMs);
    if (failure !== undefined) throw failure;
  };

  const claim = async (job: Job, signal: AbortSignal): Promise<readonly Pod[]> => {
    const matcher = labelSelectorMatcher(job.spec?.selector);
    const candidates = claimCandidates(podInformer, job);
    const plan = planClaim(job, candidates, (pod) => matcher.matches(pod.metadata.labels));
    const parts = { client, owner: job, ownerResource: jobs, resource: pods, signal };
    return applyClaim(plan, { ...parts, finalizer: trackingFinalizer });
  };

  const startAndStop = async (
    job: Job,
    { plan, owned }: { readonly plan: JobPlan; readonly owned: readonly Pod[] },
    signal: AbortSignal,
  ): Promise<unknown> => {
    await manyAtOnce(plan.delete, (pod) => deletePod(control, { owner: job, pod }, signal));
    const indexes = [...plan.create];
    const { failure } = await slowStart(plan.create.length, () =>
      createPod(control, newPod(job, indexes.shift(), owned), signal),
    );
    return failure;
  };

  const release = async (pod: Pod, signal: AbortSignal): Promise<void> => {
    const { uid } = pod.metadata;
    const finalizers = { "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] };
    const value = { metadata: { uid, ...finalizers } };
    await ifFound(client.patch(pods, placeOf(pod), { kind: "strategic", value }, { signal }));
  };

  /** Pods of a Job that is gone, or of none: nobody counts them any more. */
  const releaseOrphans = async (key: string, signal: AbortSignal): Promise<void> => {
    const tracked = Array.from(podInformer.byIndex("trackedJob", key));
    await manyAtOnce(tracked, (pod) => release(pod, signal));
  };

  const expire = async (job: Job, run: Run): Promise<void> => {
    const seconds = job.spec?.ttlSecondsAfterFinished;
    if (seconds === undefined || job.metadata.deletionTimestamp) return;
    const leftMs = finishedAtMs(job) + seconds * 1000 - clock.now();
    if (leftMs > 0) return run.requeue(leftMs);
    const options = { propagationPolicy: "Foreground" as const, signal: run.signal };
    await deleteThis(expiry.client, { resource: jobs, object: job }, options);
  };

  const tellEnd = (job: Job, plan: JobPlan): void => {
    const end = endOf(plan.status);
    if (end?.type === "Complete") {
      recorder.record(job, { type: "Normal", reason: "Completed", message: "Job completed" });
    } else if (end) {
      const { reason = "", message = "" } = end;
      recorder.record(job, { type: "Warning", reason, message });
    }
  };

  return createController({
    name: "job",
    reads: ["jobs.batch", "pods"],
    writes: [
      { resource: "jobs.batch", fields: "status" },
      { resource: "jobs.batch", fields: "deletion", of: "past their time to live" },
      { resource: "pods", fields: "*", of: "new, of Jobs" },
      { resource: "pods", fields: "metadata", of: "of Jobs" },
      { resource: "pods", fields: "deletion", of: "of Jobs" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => keysOfChange(change, jobsOf)),
    ],
    reconcile,
    clock,
    log,
  });
}

function finishedAtMs(job: Job): number {
  return Date.parse(endOf(job.status)?.lastTransitionTime ?? "") || 0;
}

/** Another controller, named in the Job, does its work. */
function isManagedElsewhere({ spec }: Job): boolean {
  return spec?.managedBy !== undefined && spec.managedBy !== "kubernetes.io/job-controller";
}

function newPod(job: Job, index: number | undefined, owned: readonly Pod[]) {
  const template = job.spec?.template ?? {};
  return {
    owner: job,
    ownerReference: controllerRefTo(jobs, job),
    template,
    finish: (pod: Pod): Pod =>
      index === undefined
        ? tracked(pod)
        : indexed(tracked(pod), { job, index, failures: failureAnnotations(job, index, owned) }),
  };
}

function tracked(pod: Pod): Pod {
  const finalizers = [...(pod.metadata.finalizers ?? []), trackingFinalizer];
  return { ...pod, metadata: { ...pod.metadata, finalizers } };
}

interface IndexFacts {
  readonly job: Job;
  readonly index: number;
  readonly failures: Readonly<Record<string, string>>;
}

/** A pod with a completion index learns it by annotation, label, host name and environment. */
function indexed(pod: Pod, { job, index, failures }: IndexFacts): Pod {
  if (pod.spec === undefined) return pod;
  const mark = { [indexAnnotation]: String(index) };
  const withIndex = (container: Container): Container => ({
    ...container,
    env: [
      ...(container.env ?? []),
      {
        name: "JOB_COMPLETION_INDEX",
        valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexAnnotation}']` } },
      },
    ],
  });
  const { initContainers } = pod.spec;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${nameOf(job)}-${index}-`,
      annotations: { ...pod.metadata.annotations, ...mark, ...failures },
      labels: { ...pod.metadata.labels, ...mark },
    },
    spec: {
      ...pod.spec,
      hostname: `${nameOf(job)}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(initContainers && { initContainers: initContainers.map(withIndex) }),
    },
  };
}

/** The key of the Job that a pod is of. */
function jobOf(pod: Pod): readonly string[] {
  const reference = controllerRefOf(pod);
  return reference?.kind === "Job" ? [`${namespaceOf(pod)}/${reference.name}`] : [];
}

/** Tracked pods that no Job controls have a key of their own, which is no Job's. */
function trackedJobOf(pod: Pod): readonly string[] {
  if (!isTracked(pod)) return [];
  return controllerRefOf(pod) === undefined ? [`${namespaceOf(pod)}/`] : jobOf(pod);
}

function jobsOf(pod: Pod): readonly string[] {
  return controllerRefOf(pod) === undefined ? trackedJobOf(pod) : jobOf(pod);
}
