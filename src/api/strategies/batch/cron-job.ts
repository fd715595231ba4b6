import type { CronJob, CronJobSpec } from "#api/generated/types.ts";
import { byteLength } from "#api/names.ts";
import { scheduleProblem } from "#api/strategies/batch/cron-schedule.ts";
import { checkJobSpec } from "#api/strategies/batch/job-validation.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative, checkOneOf } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, objectIn, setWhereUnset } from "#api/validation/given.ts";

/** A job's name gets 11 characters behind the cron job's. */
const nameMaxLength = 52;

export const cronJobStrategy = strategyFor<CronJob>({
  fillDefaults(cronJob) {
    const spec = objectIn(cronJob, "spec");
    setWhereUnset(spec, {
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    fillPodTemplate(spec.jobTemplate?.spec?.template);
  },
  validate(root, cronJob) {
    const name = cronJob.metadata?.name ?? "";
    if (byteLength(name) > nameMaxLength) {
      root
        .child("metadata", "name")
        .invalid(name, `must be no more than ${nameMaxLength} characters`);
    }
    checkCronJob(root.child("spec"), cronJob.spec ?? {});
  },
  warnings(cronJob) {
    const schedule = cronJob.spec?.schedule ?? "";
    const zoned = /TZ=/.test(schedule)
      ? [
          `cannot use TZ or CRON_TZ in schedule, use timeZone field instead; see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/ for more details`,
        ]
      : [];
    const template = cronJob.spec?.jobTemplate?.spec?.template;
    return [...zoned, ...podWarnings("spec.jobTemplate.spec.template.", template)];
  },
});

function checkCronJob(field: Field, spec: Given<CronJobSpec>): void {
  checkSchedule(field, spec);
  checkNonNegative(field.child("startingDeadlineSeconds"), spec.startingDeadlineSeconds);
  checkOneOf(field.child("concurrencyPolicy"), spec.concurrencyPolicy, [
    "Allow",
    "Forbid",
    "Replace",
  ]);
  checkNonNegative(field.child("successfulJobsHistoryLimit"), spec.successfulJobsHistoryLimit);
  checkNonNegative(field.child("failedJobsHistoryLimit"), spec.failedJobsHistoryLimit);
  const template = spec.jobTemplate?.spec ?? {};
  const at = field.child("jobTemplate", "spec");
  checkJobSpec(at, template);
  if (template.manualSelector) at.child("manualSelector").notSupported(true, ["nil", "false"]);
}

function checkSchedule(field: Field, spec: Given<CronJobSpec>): void {
  const at = field.child("schedule");
  const schedule = spec.schedule ?? "";
  const zone = spec.timeZone;
  if (schedule === "") at.required();
  else {
    const problem = scheduleProblem(schedule);
    if (problem !== undefined) at.invalid(schedule, problem);
    if (schedule.includes("TZ")) {
      at.invalid(schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    }
  }
  if (zone === undefined || zone === null) return;
  const zoneField = field.child("timeZone");
  if (zone === "") zoneField.invalid(zone, "timeZone must be nil or non-empty string");
  else if (zone.toLowerCase() === "local") {
    const rule =
      "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
    zoneField.invalid(zone, rule);
  } else if (!isTimeZone(zone)) zoneField.invalid(zone, `unknown time zone ${zone}`);
}

function isTimeZone(zone: string): boolean {
  if (/^[+-]/.test(zone)) return false;
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
