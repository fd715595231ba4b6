import type {
  ContainerStatus,
  Job,
  Pod,
  PodFailurePolicyOnExitCodesRequirement,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { indexOf, parseIndexes } from "#controllers/job/indexes.ts";

export const failureCountAnnotation = "batch.kubernetes.io/job-index-failure-count";
export const ignoredCountAnnotation = "batch.kubernetes.io/job-index-ignored-failure-count";

/** What the failure of a pod means to its Job. */
export interface PodFailure {
  readonly action: "Count" | "FailIndex" | "FailJob" | "Ignore";
  /** For FailJob: why. */
  readonly message?: string;
}

/** By the first rule of `spec.podFailurePolicy` that matches; without one the failure counts. */
export function failureOf(job: Job, pod: Pod): PodFailure {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const { action, onExitCodes, onPodConditions } = rule;
    const about = `matching ${action} rule at index ${index}`;
    const exited = onExitCodes && exitedWith(pod, onExitCodes);
    const condition = onPodConditions && conditionOf(pod, onPodConditions);
    if (!exited && !condition) continue;
    if (action !== "FailJob") return { action: action as PodFailure["action"] };
    const where = `${namespaceOf(pod)}/${nameOf(pod)}`;
    const message = exited
      ? `Container ${exited.name} for pod ${where} failed with exit code ${exited.state?.terminated?.exitCode} ${about}`
      : `Pod ${where} has condition ${condition} ${about}`;
    return { action, message };
  }
  return { action: "Count" };
}

function exitedWith(
  { status }: Pod,
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
): ContainerStatus | undefined {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return all.find(({ name, state }) => {
    const exitCode = state?.terminated?.exitCode ?? 0;
    if (exitCode === 0 || (containerName !== undefined && containerName !== name)) return false;
    return values.includes(exitCode) === (operator === "In");
  });
}

function conditionOf(
  { status }: Pod,
  patterns: readonly { readonly type: string; readonly status?: string }[],
): string | undefined {
  return status?.conditions?.find((condition) =>
    patterns.some(
      (pattern) =>
        pattern.type === condition.type && (pattern.status ?? "True") === condition.status,
    ),
  )?.type;
}

/** Whether a pod is replaced only once it has ended: until then it keeps its place. */
export function replacesOnlyEnded({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === "Failed" || spec?.podFailurePolicy !== undefined;
}

/** The indexes that failed for good, where each has a limit of its own; undefined where they have none. */
export function failedIndexesOf(job: Job, pods: readonly Pod[]): ReadonlySet<number> | undefined {
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined) return undefined;
  const failed = new Set(parseIndexes(job.status?.failedIndexes));
  for (const pod of pods) {
    const index = indexOf(pod);
    if (pod.status?.phase !== "Failed" || index === undefined) continue;
    const { action } = failureOf(job, pod);
    const spent = action !== "Ignore" && countIn(pod, failureCountAnnotation) >= limit;
    if (action === "FailIndex" || spent) failed.add(index);
  }
  return failed;
}

/** The annotations by which the next pod of an index knows how often it failed before. */
export function failureAnnotations(
  job: Job,
  index: number,
  pods: readonly Pod[],
): Readonly<Record<string, string>> {
  if (job.spec?.backoffLimitPerIndex === undefined) return {};
  const last = lastFailed(pods, index);
  const ignored = last && failureOf(job, last).action === "Ignore";
  const count = (name: string, more: boolean): number =>
    last ? countIn(last, name) + (more ? 1 : 0) : 0;
  const ignoredCount = count(ignoredCountAnnotation, ignored === true);
  return {
    [failureCountAnnotation]: String(count(failureCountAnnotation, ignored === false)),
    ...(ignoredCount > 0 && { [ignoredCountAnnotation]: String(ignoredCount) }),
  };
}

/** Failed pods that must not go before another has taken over what they know of their index. */
export function keptForTheirCount(
  job: Job,
  pods: readonly Pod[],
  doneIndexes: ReadonlySet<number>,
): ReadonlySet<Pod> {
  if (job.spec?.backoffLimitPerIndex === undefined) return new Set();
  const attempts = (pod: Pod): number =>
    countIn(pod, failureCountAnnotation) + countIn(pod, ignoredCountAnnotation);
  const newest = new Map<number, Pod>();
  for (const pod of pods) {
    const index = indexOf(pod);
    if (index === undefined || doneIndexes.has(index)) continue;
    const known = newest.get(index);
    if (!known || attempts(pod) >= attempts(known)) newest.set(index, pod);
  }
  return new Set([...newest.values()].filter(({ status }) => status?.phase === "Failed"));
}

function lastFailed(pods: readonly Pod[], index: number): Pod | undefined {
  return pods
    .filter((pod) => pod.status?.phase === "Failed" && indexOf(pod) === index)
    .toSorted(
      (one, other) =>
        countIn(one, failureCountAnnotation) - countIn(other, failureCountAnnotation) ||
        countIn(one, ignoredCountAnnotation) - countIn(other, ignoredCountAnnotation),
    )
    .at(-1);
}

function countIn(pod: Pod, annotation: string): number {
  return Number(pod.metadata.annotations?.[annotation] ?? 0) || 0;
}
