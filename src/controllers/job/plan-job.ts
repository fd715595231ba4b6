import type { Job, JobCondition, JobStatus, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { rfc3339 } from "#base/clock.ts";
import { backOffMs } from "#controllers/job/back-off.ts";
import { formatIndexes, indexOf, parseIndexes } from "#controllers/job/indexes.ts";
import { endOf } from "#controllers/job/job-end.ts";
import {
  failedIndexesOf,
  failureOf,
  keptForTheirCount,
  replacesOnlyEnded,
} from "#controllers/job/pod-failures.ts";
import { metSuccessPolicy } from "#controllers/job/success-policy.ts";
import { isPodActive, isPodReady, isPodTerminating } from "#controllers/pods/pod-state.ts";
import { positive } from "#controllers/replica-set/plan-replica-set.ts";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";

export interface ObservedJob {
  readonly job: Job;
  /** Those it owns. */
  readonly pods: readonly Pod[];
  readonly nowMs: number;
}

export interface JobPlan {
  readonly status: JobStatus;
  /** One entry a pod: its completion index, or undefined where the Job has none. */
  readonly create: readonly (number | undefined)[];
  readonly delete: readonly Pod[];
  /** Pods that are accounted for once the status is written: their finalizer goes. */
  readonly release: readonly Pod[];
  readonly againInMs?: number;
}

/**
 * The next step of a Job that is not finished. A pod that ended is counted exactly once: it first stands in
 * `uncountedTerminatedPods`, then loses its finalizer, and only then moves into the numbers.
 */
export function planJob(observed: ObservedJob): JobPlan {
  const { job, pods, nowMs } = observed;
  const tally = tallyOf(job, pods);
  const active = pods.filter(isPodActive);
  const terminating = pods.filter(isPodTerminating).length;
  const suspended = job.spec?.suspend === true;
  const startTime = job.status?.startTime ?? (suspended ? undefined : rfc3339(nowMs));
  const verdict = verdictOf(job, { tally, active, startTime, nowMs });
  const settled = tally.waiting.length === 0 && terminating === 0 && active.length === 0;
  const conditions = conditionsAfter(job, { verdict, settled, suspended, nowMs });
  const ended = endOf({ conditions }) !== undefined;
  const stops = verdict !== undefined || suspended;
  const start = stops ? nothingToStart : startsOf(observed, tally, active);
  const surplus = stops ? active : active.slice(0, Math.max(0, active.length - start.wanted));
  const doneIndexes = tally.completedIndexes.union(tally.failedIndexes ?? new Set<number>());
  const kept = stops ? new Set<Pod>() : keptForTheirCount(job, pods, doneIndexes);
  // Past its deadline nothing comes with time, but with its pods' ends.
  const againInMs = soonest(start.waitMs, deadlineInMs(job, startTime, nowMs) || undefined);
  return {
    status: {
      ...countedStatus(job, tally, { active, surplus, terminating, create: start.create.length }),
      ...(startTime && !suspended && { startTime }),
      ...(conditions.length > 0 && { conditions }),
      ...(ended && verdict?.type === "Complete" && { completionTime: rfc3339(nowMs) }),
    },
    create: start.create,
    delete: surplus,
    release: pods.filter((pod) => isTracked(pod) && isAccounted(pod, job, tally) && !kept.has(pod)),
    ...(againInMs !== undefined && !ended && { againInMs }),
  };
}

/** A pod that is deleted may never get to say that it failed; one that a suspended Job stops did not fail. */
function hasFailed({ metadata, status }: Pod, job: Job): boolean {
  if (status?.phase === "Failed") return true;
  if (replacesOnlyEnded(job)) return false;
  return (
    metadata.deletionTimestamp !== undefined && status?.phase !== "Succeeded" && !isStopping(job)
  );
}

/** Suspended, or known how it ends: what is deleted then is not counted. */
function isStopping(job: Job): boolean {
  const decided = ["SuccessCriteriaMet", "FailureTarget"];
  const isDecided = job.status?.conditions?.some(
    ({ type, status }) => status === "True" && decided.includes(type),
  );
  return job.spec?.suspend === true || isDecided === true;
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
}

function isAccounted(pod: Pod, job: Job, tally: Tally): boolean {
  if (tally.waiting.includes(uidOf(pod)) || tally.ignored.includes(pod)) return true;
  return isStopping(job) && pod.metadata.deletionTimestamp !== undefined;
}

interface Tally {
  /** Counted for good. */
  readonly succeeded: number;
  readonly failed: number;
  readonly uncountedSucceeded: readonly string[];
  readonly uncountedFailed: readonly string[];
  /** All that is not yet counted for good. */
  readonly waiting: readonly string[];
  /** Failed, but that does not count. */
  readonly ignored: readonly Pod[];
  /** Why the failure of one pod fails the Job. */
  readonly failJob?: string;
  readonly completedIndexes: ReadonlySet<number>;
  /** Where indexes have limits of their own. */
  readonly failedIndexes: ReadonlySet<number> | undefined;
}

/** As upstream: so many stand in the status at a time, or it would grow without bound. The rest is counted later. */
const uncountedMax = 500;

function tallyOf(job: Job, pods: readonly Pod[]): Tally {
  const { succeeded = 0, failed = 0, uncountedTerminatedPods: before } = job.status ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [uidOf(pod), pod]));
  const [oldSucceeded, oldFailed] = [before?.succeeded ?? [], before?.failed ?? []];
  const known = new Set([...oldSucceeded, ...oldFailed]);
  const still = (uid: string): boolean => tracked.has(uid);
  const room = uncountedMax - [...known].filter(still).length;
  const fresh = [...tracked.values()]
    .filter((pod) => !known.has(uidOf(pod)))
    .filter((pod) => pod.status?.phase === "Succeeded" || hasFailed(pod, job))
    .slice(0, Math.max(0, room));
  const failing = fresh.filter((pod) => hasFailed(pod, job));
  const ignored = failing.filter((pod) => failureOf(job, pod).action === "Ignore");
  const failJob = failing.map((pod) => failureOf(job, pod).message).find(Boolean);
  const uncountedSucceeded = [
    ...oldSucceeded.filter(still),
    ...fresh.filter(({ status }) => status?.phase === "Succeeded").map(uidOf),
  ];
  const uncountedFailed = [
    ...oldFailed.filter(still),
    ...failing.filter((pod) => !ignored.includes(pod)).map(uidOf),
  ];
  const completedIndexes = new Set(parseIndexes(job.status?.completedIndexes));
  for (const pod of pods) {
    const index = indexOf(pod);
    if (pod.status?.phase === "Succeeded" && index !== undefined) completedIndexes.add(index);
  }
  return {
    succeeded: succeeded + oldSucceeded.filter((uid) => !still(uid)).length,
    failed: failed + oldFailed.filter((uid) => !still(uid)).length,
    uncountedSucceeded,
    uncountedFailed,
    waiting: [...uncountedSucceeded, ...uncountedFailed],
    ignored,
    ...(failJob && { failJob }),
    completedIndexes,
    failedIndexes: failedIndexesOf(job, pods),
  };
}

interface Verdict {
  readonly type: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

interface Facts {
  readonly tally: Tally;
  readonly active: readonly Pod[];
  readonly startTime: string | undefined;
  readonly nowMs: number;
}

function verdictOf(job: Job, facts: Facts): Verdict | undefined {
  return decidedVerdict(job) ?? failureVerdict(job, facts) ?? successVerdict(job, facts);
}

function decidedVerdict({ status }: Job): Verdict | undefined {
  for (const [known, type] of decisions) {
    const decided = status?.conditions?.find(
      (condition) => condition.status === "True" && condition.type === known,
    );
    if (decided) return { type, reason: decided.reason ?? "", message: decided.message ?? "" };
  }
  return undefined;
}

const decisions = [
  ["FailureTarget", "Failed"],
  ["SuccessCriteriaMet", "Complete"],
] as const;

function failureVerdict(job: Job, { tally, active, startTime, nowMs }: Facts): Verdict | undefined {
  const { backoffLimitPerIndex } = job.spec ?? {};
  const byDefault = backoffLimitPerIndex === undefined ? 6 : Number.POSITIVE_INFINITY;
  const { backoffLimit = byDefault } = job.spec ?? {};
  if (tally.failJob) {
    return { type: "Failed", reason: "PodFailurePolicy", message: tally.failJob };
  }
  const failed = tally.failed + tally.uncountedFailed.length;
  const restarts = job.spec?.template.spec?.restartPolicy === "OnFailure" ? restartsOf(active) : 0;
  if (failed > backoffLimit || (restarts > 0 && restarts >= backoffLimit)) {
    const message = "Job has reached the specified backoff limit";
    return { type: "Failed", reason: "BackoffLimitExceeded", message };
  }
  if (deadlineInMs(job, startTime, nowMs) === 0) {
    const message = "Job was active longer than specified deadline";
    return { type: "Failed", reason: "DeadlineExceeded", message };
  }
  return indexVerdict(job, tally);
}

function indexVerdict({ spec }: Job, tally: Tally): Verdict | undefined {
  const failed = tally.failedIndexes?.size ?? 0;
  if (spec?.maxFailedIndexes !== undefined && failed > spec.maxFailedIndexes) {
    const message = "Job has exceeded the specified maximal number of failed indexes";
    return { type: "Failed", reason: "MaxFailedIndexesExceeded", message };
  }
  if (failed > 0 && failed + tally.completedIndexes.size >= (spec?.completions ?? 0)) {
    return { type: "Failed", reason: "FailedIndexes", message: "Job has failed indexes" };
  }
  return undefined;
}

function successVerdict(job: Job, { tally, active }: Facts): Verdict | undefined {
  const { completions, successPolicy } = job.spec ?? {};
  const met = metSuccessPolicy(successPolicy, tally.completedIndexes);
  if (met) return { type: "Complete", reason: "SuccessPolicy", message: met };
  const succeeded = tally.succeeded + tally.uncountedSucceeded.length;
  const complete =
    completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions;
  if (!complete) return undefined;
  const message = "Reached expected number of succeeded pods";
  return { type: "Complete", reason: "CompletionsReached", message };
}

function restartsOf(pods: readonly Pod[]): number {
  return pods
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
}

interface Outcome {
  readonly verdict: Verdict | undefined;
  readonly settled: boolean;
  readonly suspended: boolean;
  readonly nowMs: number;
}

/** First what the end will be (`SuccessCriteriaMet`, `FailureTarget`), and the end itself when no pod is left. */
function conditionsAfter(job: Job, outcome: Outcome): readonly JobCondition[] {
  const { verdict, settled, suspended, nowMs } = outcome;
  const conditions = [...(job.status?.conditions ?? [])];
  const set = (type: string, status: string, { reason, message }: Omit<Verdict, "type">): void => {
    const index = conditions.findIndex((condition) => condition.type === type);
    if (conditions[index]?.status === status) return;
    const time = rfc3339(nowMs);
    const times = { lastProbeTime: time, lastTransitionTime: time };
    const condition = { type, status, ...times, reason, message };
    conditions.splice(index < 0 ? conditions.length : index, index < 0 ? 0 : 1, condition);
  };
  const wasSuspended = conditions.some(({ type }) => type === "Suspended");
  if (verdict) {
    set(verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget", "True", verdict);
    if (settled) set(verdict.type, "True", verdict);
  } else if (suspended) {
    set("Suspended", "True", { reason: "JobSuspended", message: "Job suspended" });
  } else if (wasSuspended) {
    set("Suspended", "False", { reason: "JobResumed", message: "Job resumed" });
  }
  return conditions;
}

interface Starts {
  readonly create: readonly (number | undefined)[];
  /** How many may be active. */
  readonly wanted: number;
  readonly waitMs?: number;
}

const nothingToStart: Starts = { create: [], wanted: 0 };
/** One pass starts at most so many. */
const burstMax = 500;

function startsOf({ job, pods, nowMs }: ObservedJob, tally: Tally, active: readonly Pod[]): Starts {
  const { parallelism = 1, completions } = job.spec ?? {};
  const succeeded = tally.succeeded + tally.uncountedSucceeded.length;
  const workQueueDone = completions === undefined && succeeded > 0;
  const failedIndexes = tally.failedIndexes?.size ?? 0;
  const open = (completions ?? Number.POSITIVE_INFINITY) - succeeded - failedIndexes;
  const wanted = workQueueDone ? active.length : Math.min(parallelism, open);
  const leaving = replacesOnlyEnded(job) ? pods.filter(isPodTerminating) : [];
  const missing = Math.min(wanted - active.length - leaving.length, burstMax);
  if (missing <= 0) return { create: [], wanted };
  const occupied = [...active, ...leaving];
  if (tally.failedIndexes)
    return startsByIndex({ job, pods, nowMs }, { tally, occupied, missing, wanted });
  const counted = pods.filter((pod) => !tally.ignored.includes(pod));
  const waitMs = backOffMs(counted, nowMs);
  if (waitMs > 0) return { create: [], wanted, waitMs };
  if (job.spec?.completionMode !== "Indexed") {
    return { create: Array.from({ length: missing }, () => undefined), wanted };
  }
  return { create: freeIndexes(job, tally, occupied).slice(0, missing), wanted };
}

function freeIndexes(job: Job, tally: Tally, occupied: readonly Pod[]): readonly number[] {
  const { completedIndexes, failedIndexes = [] } = tally;
  const taken = new Set([...completedIndexes, ...failedIndexes, ...occupied.map(indexOf)]);
  const all = Array.from({ length: job.spec?.completions ?? 0 }, (_none, index) => index);
  return all.filter((index) => !taken.has(index));
}

interface IndexStarts {
  readonly tally: Tally;
  readonly occupied: readonly Pod[];
  readonly missing: number;
  readonly wanted: number;
}

/** Where each index has its own limit, each has its own back-off. */
function startsByIndex(
  { job, pods, nowMs }: ObservedJob,
  { tally, occupied, missing, wanted }: IndexStarts,
): Starts {
  const create: number[] = [];
  let soonestMs = Number.POSITIVE_INFINITY;
  const byIndex = Map.groupBy(pods, indexOf);
  for (const index of freeIndexes(job, tally, occupied)) {
    const waitMs = backOffMs(byIndex.get(index) ?? [], nowMs);
    if (waitMs > 0) soonestMs = Math.min(soonestMs, waitMs);
    else if (create.length < missing) create.push(index);
  }
  return { create, wanted, ...(soonestMs < Number.POSITIVE_INFINITY && { waitMs: soonestMs }) };
}

interface Counts {
  readonly active: readonly Pod[];
  readonly surplus: readonly Pod[];
  readonly terminating: number;
  readonly create: number;
}

function countedStatus(job: Job, tally: Tally, counts: Counts): JobStatus {
  const { active, surplus, terminating, create } = counts;
  const uncounted = {
    ...(tally.uncountedSucceeded.length > 0 && { succeeded: tally.uncountedSucceeded }),
    ...(tally.uncountedFailed.length > 0 && { failed: tally.uncountedFailed }),
  };
  const indexed = job.spec?.completionMode === "Indexed" && tally.completedIndexes.size > 0;
  return {
    ...positive("active", active.length - surplus.length + create),
    ...positive("succeeded", tally.succeeded),
    ...positive("failed", tally.failed),
    ready: active.filter(isPodReady).length,
    terminating: terminating + surplus.length,
    uncountedTerminatedPods: uncounted,
    ...(tally.failedIndexes && { failedIndexes: formatIndexes(tally.failedIndexes) }),
    ...(indexed && { completedIndexes: formatIndexes(tally.completedIndexes) }),
  };
}

function deadlineInMs(job: Job, startTime: string | undefined, nowMs: number): number | undefined {
  const seconds = job.spec?.activeDeadlineSeconds;
  if (seconds === undefined || startTime === undefined || job.spec?.suspend) return undefined;
  return Math.max(0, Date.parse(startTime) + seconds * 1000 - nowMs);
}

function soonest(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
