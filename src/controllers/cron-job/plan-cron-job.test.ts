import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { CronJob, CronJobSpec, CronJobStatus, Job } from "#api/generated/types.ts";
import { parseCronTimes } from "#controllers/cron-job/cron-times.ts";
import { planCronJob, timeInZone } from "#controllers/cron-job/plan-cron-job.ts";

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace(":00.000Z", "Z");

test("parseCronTimes() finds the next times, in every zone, over changes of the clock", () => {
  const cases: [string, string | undefined, string, readonly (string | undefined)[]][] = [
    ["*/15 * * * *", undefined, "2026-01-01T00:07Z", ["2026-01-01T00:15Z", "2026-01-01T00:30Z"]],
    ["0 0 29 2 *", undefined, "2026-01-01T00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]],
    ["0 0 30 2 *", undefined, "2026-01-01T00:00Z", [undefined]],
    // Either day is enough where both are given.
    ["0 12 13 * fri", undefined, "2026-01-01T00:00Z", ["2026-01-02T12:00Z", "2026-01-09T12:00Z"]],
    ["30 4 1 jan-mar/2 *", undefined, "2026-01-01T05:00Z", ["2026-03-01T04:30Z"]],
    ["@weekly", undefined, "2026-01-01T00:00Z", ["2026-01-04T00:00Z", "2026-01-11T00:00Z"]],
    ["0 9 * * *", "Europe/Berlin", "2026-03-28T00:00Z", ["2026-03-28T08:00Z", "2026-03-29T07:00Z"]],
    // The clock skips half past two in spring, and shows it twice in autumn.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-30T00:30Z"]],
    [
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-25T00:30Z", "2026-10-25T01:30Z"],
    ],
    ["TZ=Asia/Kolkata 0 0 * * *", undefined, "2026-01-01T00:00Z", ["2026-01-01T18:30Z"]],
    ["@every 90m", undefined, "2026-01-01T00:00Z", ["2026-01-01T01:30Z", "2026-01-01T03:00Z"]],
  ];
  for (const [schedule, zone, from, expected] of cases) {
    const times = parseCronTimes(schedule, zone);
    let ms: number | undefined = Date.parse(from);
    const found = expected.map(() => iso((ms = ms === undefined ? undefined : times.next(ms))));
    deepEqual(found, expected, schedule);
  }
  throws(() => parseCronTimes("61 * * * *"), /above maximum/);
  throws(() => parseCronTimes("0 0 * * *", "Mars/Olympus"), RangeError);
  equal(
    timeInZone(Date.parse("2026-07-01T00:00:00Z"), "Asia/Kolkata"),
    "2026-07-01T05:30:00+05:30",
  );
});

const cronJob = (spec: Partial<CronJobSpec>, status?: CronJobStatus): CronJob => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name: "c", namespace: "a", uid: "c", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { schedule: "0 * * * *", jobTemplate: {}, ...spec },
  ...(status && { status }),
});

const job = (name: string, end?: "Complete" | "Failed", at = "2026-01-01T00:30:00Z"): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name, uid: name, creationTimestamp: at },
  status: end
    ? { conditions: [{ type: end, status: "True" }], startTime: at, completionTime: at }
    : {},
});

const active = (...names: string[]): CronJobStatus => ({
  active: names.map((name) => ({ name, uid: name })),
});

test("planCronJob() starts what is due, once, and says why where it does not", () => {
  const at = "2026-01-01T03:00:30Z";
  const cases: [string, CronJob, Job[], string | undefined, string[], string[]][] = [
    ["due", cronJob({}), [], "2026-01-01T03:00Z", [], []],
    ["done", cronJob({}, { lastScheduleTime: "2026-01-01T03:00:00Z" }), [], undefined, [], []],
    ["suspended", cronJob({ suspend: true }), [], undefined, [], []],
    [
      "too late",
      cronJob({ startingDeadlineSeconds: 10 }, { lastScheduleTime: "2026-01-01T02:00:00Z" }),
      [],
      undefined,
      [],
      [],
    ],
    [
      "forbidden beside another",
      cronJob({ concurrencyPolicy: "Forbid" }, active("j")),
      [job("j")],
      undefined,
      [],
      ["JobAlreadyActive"],
    ],
    [
      "instead of another",
      cronJob({ concurrencyPolicy: "Replace" }, active("j")),
      [job("j")],
      "2026-01-01T03:00Z",
      ["j"],
      [],
    ],
    ["beside another", cronJob({}, active("j")), [job("j")], "2026-01-01T03:00Z", [], []],
    [
      "every minute",
      cronJob({ schedule: "* * * * *" }),
      [],
      "2026-01-01T03:00Z",
      [],
      ["TooManyMissedTimes"],
    ],
    ["no zone", cronJob({ timeZone: "Mars/X" }), [], undefined, [], ["UnknownTimeZone"]],
  ];
  for (const [what, wanted, jobs, start, deleted, reasons] of cases) {
    const plan = planCronJob({ cronJob: wanted, jobs, nowMs: Date.parse(at) });
    deepEqual(
      [
        iso(plan.startForMs),
        plan.delete.map(({ metadata }) => metadata.name),
        plan.events.map(({ reason }) => reason),
      ],
      [start, deleted, reasons],
      what,
    );
  }
});

test("planCronJob() follows its Jobs to their end and keeps as many as the history may have", () => {
  const jobs = [
    job("done-1", "Complete", "2026-01-01T00:01:00Z"),
    job("done-2", "Complete", "2026-01-01T00:02:00Z"),
    job("failed-1", "Failed", "2026-01-01T00:01:00Z"),
    job("running"),
    job("stranger"),
  ];
  const limits = { successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 };
  const wanted = cronJob(limits, active("done-2", "running", "lost"));
  const plan = planCronJob({ cronJob: wanted, jobs, nowMs: Date.parse("2026-01-01T00:10:00Z") });
  deepEqual(
    [plan.status, plan.delete.map(({ metadata }) => metadata.name), plan.againInMs],
    [
      { ...active("running"), lastSuccessfulTime: "2026-01-01T00:02:00Z" },
      ["done-1", "failed-1"],
      50 * 60_000 + 100,
    ],
  );
  deepEqual(
    plan.events.map(({ message }) => message),
    [
      "Saw completed job: done-2, condition: Complete",
      "Active job went missing: lost",
      "Saw a job that the controller did not create or forgot: stranger",
    ],
  );
});

test("planCronJob() knows a Job of its own whose start was not noted", () => {
  const annotations = { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T02:00:00Z" };
  const plain = job("c-1");
  const unnoted: Job = { ...plain, metadata: { ...plain.metadata, annotations } };
  const noted = [{ apiVersion: "batch/v1", kind: "Job", name: "c-1", namespace: "", uid: "c-1" }];
  const wasDone = { lastScheduleTime: "2026-01-01T01:00:00Z" };
  const planned = (concurrencyPolicy: string, time: string) => {
    const wanted = cronJob({ concurrencyPolicy }, wasDone);
    const plan = planCronJob({ cronJob: wanted, jobs: [unnoted], nowMs: Date.parse(time) });
    const deleted = plan.delete.map(({ metadata }) => metadata.name);
    return [iso(plan.startForMs), deleted, plan.status, plan.events.map(({ reason }) => reason)];
  };
  const lastScheduleTime = "2026-01-01T02:00:00Z";
  const status = { active: noted, lastScheduleTime };
  deepEqual(planned("Allow", "2026-01-01T02:00:30Z"), [undefined, [], status, []]);
  deepEqual(planned("Forbid", "2026-01-01T03:00:30Z"), [
    undefined,
    [],
    status,
    ["JobAlreadyActive"],
  ]);
  deepEqual(planned("Replace", "2026-01-01T03:00:30Z"), [
    "2026-01-01T03:00Z",
    ["c-1"],
    { active: [], lastScheduleTime },
    [],
  ]);
});
