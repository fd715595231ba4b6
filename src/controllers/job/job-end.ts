import type { Job, JobCondition, JobStatus } from "#api/generated/types.ts";

/** The condition that says how a Job ended; undefined while it has not. */
export function endOf(status: JobStatus | undefined): JobCondition | undefined {
  return status?.conditions?.find(
    ({ type, status: holds }) => holds === "True" && (type === "Complete" || type === "Failed"),
  );
}

export function isJobFinished({ status }: Job): boolean {
  return endOf(status) !== undefined;
}
