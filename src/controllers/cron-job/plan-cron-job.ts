import type { CronJob, CronJobStatus, Job, ObjectReference } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { rfc3339 } from "#base/clock.ts";
import { parseCronTimes, type CronTimes } from "#controllers/cron-job/cron-times.ts";
import { endOf } from "#controllers/job/job-end.ts";
import type { RecordedEvent } from "#reconcile/event-recorder.ts";

export interface ObservedCronJob {
  readonly cronJob: CronJob;
  /** Those it controls. */
  readonly jobs: readonly Job[];
  readonly nowMs: number;
}

export interface CronJobPlan {
  /** Without the Job that is about to be made. */
  readonly status: CronJobStatus;
  readonly events: readonly RecordedEvent[];
  readonly delete: readonly Job[];
  /** The time for which a Job is due. */
  readonly startForMs?: number;
  readonly againInMs?: number;
}

type Start = Pick<CronJobPlan, "events" | "delete" | "startForMs" | "againInMs">;

/** A moment later than the schedule says, so that clocks that differ a little do not come too early; upstream's number. */
const scheduleDeltaMs = 100;
/** From so many missed times on, it is said. */
const missedMax = 100;

export function planCronJob(observed: ObservedCronJob): CronJobPlan {
  const { cronJob, jobs } = observed;
  const { active, events } = activeAfter(cronJob, jobs);
  const lastScheduleTime = lastScheduled(cronJob, jobs);
  const lastSuccessfulTime = lastSuccess(cronJob, jobs);
  const status: CronJobStatus = {
    ...cronJob.status,
    active,
    ...(lastScheduleTime && { lastScheduleTime }),
    ...(lastSuccessfulTime && { lastSuccessfulTime }),
  };
  const start = startOf({ ...observed, cronJob: { ...cronJob, status } });
  const remove = [...beyondHistory(cronJob, jobs), ...start.delete];
  const removed = new Set(remove.map(uidOf));
  return {
    ...start,
    status: { ...status, active: active.filter(({ uid }) => !removed.has(uid ?? "")) },
    events: [...events, ...start.events],
    delete: remove,
  };
}

export function endOfJob(job: Job): "Complete" | "Failed" | undefined {
  return endOf(job.status)?.type as "Complete" | "Failed" | undefined;
}

/** On a Job that was started by the schedule: for which time. */
export const timeAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** The name is made of the time, so that no time gets two Jobs. */
export function jobNameFor(cronJob: CronJob, scheduledMs: number): string {
  return `${nameOf(cronJob)}-${Math.floor(scheduledMs / 60_000)}`;
}

function activeAfter(
  { status }: CronJob,
  jobs: readonly Job[],
): { readonly active: NonNullable<CronJobStatus["active"]>; readonly events: RecordedEvent[] } {
  const byUid = new Map(jobs.map((job) => [uidOf(job), job]));
  const known = status?.active ?? [];
  const events: RecordedEvent[] = [];
  const active = known.filter(({ uid = "", name = "" }) => {
    const job = byUid.get(uid);
    const end = job && endOfJob(job);
    if (job && end === undefined) return true;
    events.push(
      job
        ? normal("SawCompletedJob", `Saw completed job: ${name}, condition: ${end}`)
        : normal("MissingJob", `Active job went missing: ${name}`),
    );
    return false;
  });
  for (const job of jobs) {
    if (endOfJob(job) !== undefined || known.some(({ uid }) => uid === uidOf(job))) continue;
    if (isUnnoted(job)) {
      active.push(referenceTo(job));
      continue;
    }
    const text = `Saw a job that the controller did not create or forgot: ${nameOf(job)}`;
    events.push(warning("UnexpectedJob", text));
  }
  return { active, events };
}

/**
 * A Job that the controller started, which runs, and of which the status does not tell: that write failed, or the
 * controller ended before it. Upstream lets the next Job run beside it, whatever the policy says.
 */
function isUnnoted(job: Job): boolean {
  return scheduledMs(job) !== undefined && job.metadata.deletionTimestamp === undefined;
}

function scheduledMs({ metadata }: Job): number | undefined {
  const ms = Date.parse(metadata.annotations?.[timeAnnotation] ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

/** That of a Job whose start was not noted counts, too: each time has its Job once. */
function lastScheduled({ status }: CronJob, jobs: readonly Job[]): string | undefined {
  const notedMs = Date.parse(status?.lastScheduleTime ?? "");
  const times = jobs.flatMap((job) => scheduledMs(job) ?? []);
  const latestMs = Math.max(...times, Number.isNaN(notedMs) ? -Infinity : notedMs);
  return latestMs === -Infinity || latestMs === notedMs
    ? status?.lastScheduleTime
    : rfc3339(latestMs);
}

export function referenceTo(job: Job): ObjectReference {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    name: nameOf(job),
    namespace: namespaceOf(job),
    uid: uidOf(job),
    ...(job.metadata.resourceVersion && { resourceVersion: job.metadata.resourceVersion }),
  };
}

function lastSuccess({ status }: CronJob, jobs: readonly Job[]): string | undefined {
  const times = jobs
    .filter((job) => endOfJob(job) === "Complete")
    .flatMap((job) => job.status?.completionTime ?? []);
  return [status?.lastSuccessfulTime ?? "", ...times].toSorted(byText).at(-1);
}

function byText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function beyondHistory({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] {
  const oldest = (end: string, limit: number | undefined): readonly Job[] => {
    const ended = jobs
      .filter((job) => endOfJob(job) === end && job.metadata.deletionTimestamp === undefined)
      .toSorted((one, other) => byText(startedAt(one), startedAt(other)));
    return limit === undefined ? [] : ended.slice(0, Math.max(0, ended.length - limit));
  };
  return [
    ...oldest("Complete", spec?.successfulJobsHistoryLimit),
    ...oldest("Failed", spec?.failedJobsHistoryLimit),
  ];
}

function startedAt(job: Job): string {
  return job.status?.startTime ?? job.metadata.creationTimestamp ?? "";
}

const nothing: Start = { events: [], delete: [] };

function startOf({ cronJob, jobs, nowMs }: ObservedCronJob): Start {
  if (cronJob.spec === undefined) return nothing;
  const { schedule, timeZone, suspend, concurrencyPolicy } = cronJob.spec;
  if (cronJob.metadata.deletionTimestamp !== undefined || suspend) return nothing;
  const times = timesOf(schedule, timeZone);
  if ("problem" in times) return { ...nothing, events: [times.problem] };
  const { dueMs, missedMany } = lastDue(cronJob, times, nowMs);
  const againAtMs = times.next(nowMs);
  const again = againAtMs === undefined ? {} : { againInMs: againAtMs - nowMs + scheduleDeltaMs };
  if (dueMs === undefined) return { ...nothing, ...again };
  const events = missedMany ? [tooManyMissed] : [];
  if (isTooLate(cronJob, dueMs, nowMs)) {
    const text = `Missed scheduled time to start a job: ${rfc1123(dueMs)}`;
    return { events: [...events, warning("MissSchedule", text)], delete: [], ...again };
  }
  const active = new Set((cronJob.status?.active ?? []).map(({ uid }) => uid));
  if (concurrencyPolicy === "Forbid" && active.size > 0) {
    return { events: [...events, alreadyActive], delete: [], ...again };
  }
  const replaced =
    concurrencyPolicy === "Replace" ? jobs.filter((job) => active.has(uidOf(job))) : [];
  return { events, delete: replaced, startForMs: dueMs, ...again };
}

const tooManyMissed = warning(
  "TooManyMissedTimes",
  "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
);

const alreadyActive = normal(
  "JobAlreadyActive",
  "Not starting job because prior execution is running and concurrency policy is Forbid",
);

function timesOf(
  schedule: string,
  timeZone: string | undefined,
): CronTimes | { readonly problem: RecordedEvent } {
  try {
    return parseCronTimes(schedule, timeZone);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { message } = error;
    if (error instanceof RangeError) {
      const text = `invalid timeZone: ${JSON.stringify(timeZone ?? "")}: ${message}`;
      return { problem: warning("UnknownTimeZone", text) };
    }
    const text = `unparseable schedule: ${JSON.stringify(schedule)} : ${message}`;
    return { problem: warning("UnparseableSchedule", text) };
  }
}

interface Due {
  /** The last time that passed and has no Job yet. */
  readonly dueMs?: number;
  readonly missedMany: boolean;
}

function lastDue({ metadata, status, spec }: CronJob, times: CronTimes, nowMs: number): Due {
  const lastMs = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? "") || 0;
  const deadlineMs = (spec?.startingDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const earliestMs = Math.max(lastMs, nowMs - deadlineMs);
  const firstMs = times.next(earliestMs);
  if (firstMs === undefined || firstMs > nowMs) return { missedMany: false };
  const secondMs = times.next(firstMs);
  if (secondMs === undefined || secondMs > nowMs) return { dueMs: firstMs, missedMany: false };
  const periodMs = secondMs - firstMs;
  const missed = Math.floor((nowMs - firstMs) / periodMs) + 1;
  const dueMs = latestBefore(times, { fromMs: firstMs, nowMs, periodMs });
  return { dueMs, missedMany: missed > missedMax };
}

/** Looks back ever further, so that years of missed minutes are not walked through. */
function latestBefore(
  times: CronTimes,
  { fromMs, nowMs, periodMs }: { readonly [name in "fromMs" | "nowMs" | "periodMs"]: number },
): number {
  for (let backMs = periodMs; nowMs - backMs > fromMs; backMs *= 2) {
    const foundMs = times.next(nowMs - backMs);
    if (foundMs !== undefined && foundMs <= nowMs) return walk(times, foundMs, nowMs);
  }
  return walk(times, fromMs, nowMs);
}

function walk(times: CronTimes, fromMs: number, nowMs: number): number {
  let latestMs = fromMs;
  for (
    let ms = times.next(fromMs);
    ms !== undefined && ms > latestMs && ms <= nowMs;
    ms = times.next(ms)
  ) {
    latestMs = ms;
  }
  return latestMs;
}

function isTooLate({ spec }: CronJob, dueMs: number, nowMs: number): boolean {
  const seconds = spec?.startingDeadlineSeconds;
  return seconds !== undefined && dueMs + seconds * 1000 < nowMs;
}

/** As `Mon, 02 Jan 2006 15:04:05 UTC`. */
function rfc1123(ms: number): string {
  return new Date(ms).toUTCString().replace("GMT", "UTC");
}

/** The time in the zone's own hours: `2026-01-01T01:00:00+01:00`. */
export function timeInZone(ms: number, timeZone: string | undefined): string {
  if (timeZone === undefined) return rfc3339(ms);
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  const zone = format.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const offset = /^GMT([+-])(\d\d):(\d\d)$/.exec(zone);
  if (offset === null) return rfc3339(ms);
  const [, sign, hours, minutes] = offset;
  const shiftMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "-" ? -1 : 1);
  return rfc3339(ms + shiftMs).replace("Z", `${sign}${hours}:${minutes}`);
}

function normal(reason: string, message: string): RecordedEvent {
  return { type: "Normal", reason, message };
}

function warning(reason: string, message: string): RecordedEvent {
  return { type: "Warning", reason, message };
}
