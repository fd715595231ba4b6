import type { CronJob, CronJobStatus, Job } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey, uidOf, placeOf } from "#api/meta.ts";
import { cronJobs, jobs } from "#api/resources.ts";
import { hasReason, isNotFound, StatusError } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import {
  jobNameFor,
  planCronJob,
  referenceTo,
  timeAnnotation,
  timeInZone,
  type CronJobPlan,
} from "#controllers/cron-job/plan-cron-job.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import {
  claimIndexes,
  controllerRefOf,
  controllerRefTo,
  isControlledBy,
} from "#reconcile/owners.ts";

/** Starts Jobs at the times of a schedule and removes old ones. */
export function createCronJobController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(cronJobs);
  const jobInformer = informers.of(jobs, claimIndexes);
  const recorder = kit.recorder("cronjob-controller");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const cronJob = informer.get(parseKey(key));
    if (cronJob === undefined) return;
    const owned = [...jobInformer.byIndex("controllerUid", uidOf(cronJob))];
    const plan = planCronJob({ cronJob, jobs: owned, nowMs: clock.now() });
    for (const event of plan.events) recorder.record(cronJob, event);
    for (const job of plan.delete) await remove(cronJob, job, run.signal);
    const started = await start(cronJob, plan, run.signal);
    const active = [...(plan.status.active ?? []), ...(started ? [referenceTo(started)] : [])];
    const status = {
      ...plan.status,
      active,
      ...(started && plan.startForMs && { lastScheduleTime: rfc3339(plan.startForMs) }),
    };
    if (!sameJson(status, cronJob.status)) {
      const options = { subresource: "status", signal: run.signal };
      await client.update(cronJobs, { ...cronJob, status }, options);
    }
    if (plan.againInMs !== undefined) run.requeue(plan.againInMs);
  };

  const remove = async (cronJob: CronJob, job: Job, signal: AbortSignal): Promise<void> => {
    const preconditions = { uid: uidOf(job) };
    const options = { propagationPolicy: "Background" as const, preconditions, signal };
    try {
      await client.delete(jobs, placeOf(job), options);
    } catch (error) {
      if (isNotFound(error)) return;
      tellFailure(cronJob, "FailedDelete", "Deleted job", error);
      throw error;
    }
    recorder.record(cronJob, {
      type: "Normal",
      reason: "SuccessfulDelete",
      message: `Deleted job ${nameOf(job)}`,
    });
  };

  /** The Job for the time that is due; one that was made before, but not yet noted, counts as made now. */
  const start = async (
    cronJob: CronJob,
    { startForMs, status }: CronJobPlan,
    signal: AbortSignal,
  ): Promise<Job | undefined> => {
    if (startForMs === undefined) return undefined;
    const wanted = newJob(cronJob, startForMs);
    try {
      const job = await client.create(jobs, wanted, { signal });
      recorder.record(cronJob, {
        type: "Normal",
        reason: "SuccessfulCreate",
        message: `Created job ${nameOf(job)}`,
      });
      return job;
    } catch (error) {
      if (hasReason(error, "AlreadyExists")) return adopt(cronJob, { wanted, status }, signal);
      if (isNamespaceTerminating(error)) return undefined;
      tellFailure(cronJob, "FailedCreate", "Error creating job", error);
      throw error;
    }
  };

  const adopt = async (
    cronJob: CronJob,
    { wanted, status }: { readonly wanted: Job; readonly status: CronJobStatus },
    signal: AbortSignal,
  ): Promise<Job | undefined> => {
    const job = await client.get(jobs, placeOf(wanted), { signal });
    const known = status.active?.some(({ uid }) => uid === job.metadata.uid);
    return isControlledBy(job, cronJob) && !known ? job : undefined;
  };

  const tellFailure = (...[about, reason, what, error]: [CronJob, string, string, unknown]) => {
    if (!(error instanceof StatusError)) return;
    recorder.record(about, { type: "Warning", reason, message: `${what}: ${error.message}` });
  };

  const ownerOf = (job: Job): readonly string[] => {
    const reference = controllerRefOf(job);
    return reference?.kind === "CronJob" ? [`${namespaceOf(job)}/${reference.name}`] : [];
  };

  return createController({
    name: "cronjob",
    reads: ["cronjobs.batch", "jobs.batch"],
    writes: [
      { resource: "cronjobs.batch", fields: "status" },
      { resource: "jobs.batch", fields: "*", of: "new, of CronJobs" },
      { resource: "jobs.batch", fields: "deletion", of: "of CronJobs" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(jobInformer, (change) => keysOfChange(change, ownerOf)),
    ],
    reconcile,
    clock,
    log,
  });
}

function newJob(cronJob: CronJob, scheduledMs: number): Job {
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  const scheduled = timeInZone(scheduledMs, cronJob.spec?.timeZone);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobNameFor(cronJob, scheduledMs),
      namespace: namespaceOf(cronJob),
      ...(metadata?.labels && { labels: metadata.labels }),
      annotations: { ...metadata?.annotations, [timeAnnotation]: scheduled },
      ownerReferences: [controllerRefTo(cronJobs, cronJob)],
    },
    ...(spec && { spec }),
  };
}
