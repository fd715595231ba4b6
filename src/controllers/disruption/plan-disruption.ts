import type {
  Condition,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { rfc3339 } from "#base/clock.ts";
import { resolveShare } from "#controllers/deployment/rounding.ts";
import { isPodReady } from "#controllers/pods/pod-state.ts";

export interface ObservedBudget {
  readonly budget: PodDisruptionBudget;
  /** Those its selector takes. */
  readonly pods: readonly Pod[];
  /** How many pods their controllers want together. */
  readonly scale: number;
  readonly nowMs: number;
}

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods whose eviction was granted, but which were not deleted in time. */
  readonly notDeleted: readonly Pod[];
  readonly againInMs?: number;
}

/** How long a granted eviction may take to show as a deletion; upstream's number. */
const deletionTimeoutMs = 120_000;

export function planBudget({ budget, pods, scale, nowMs }: ObservedBudget): BudgetPlan {
  const granted = grantsOf(budget, pods);
  const late = granted.filter(({ dueMs }) => dueMs < nowMs);
  const open = granted.filter(({ dueMs }) => dueMs >= nowMs);
  const disrupted = new Set(open.map(({ pod }) => pod));
  const currentHealthy = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !disrupted.has(pod) && isPodReady(pod),
  ).length;
  const { expectedPods, desiredHealthy } = wantedOf(budget, pods.length, scale);
  const spare = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const againInMs = Math.min(...open.map(({ dueMs }) => dueMs + 1 - nowMs));
  return {
    status: {
      currentHealthy,
      desiredHealthy,
      disruptionsAllowed: spare,
      expectedPods,
      ...(open.length > 0 && {
        disruptedPods: Object.fromEntries(open.map(({ pod, time }) => [nameOf(pod), time])),
      }),
      observedGeneration: budget.metadata.generation ?? 0,
      conditions: conditionsAfter(budget, nowMs, {
        status: spare > 0 ? "True" : "False",
        reason: spare > 0 ? "SufficientPods" : "InsufficientPods",
        message: "",
      }),
    },
    notDeleted: late.map(({ pod }) => pod),
    ...(open.length > 0 && { againInMs }),
  };
}

/** Nothing may be disrupted while it is not known how much may. */
export function planFailedBudget(
  budget: PodDisruptionBudget,
  message: string,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const conditions = conditionsAfter(budget, nowMs, {
    status: "False",
    reason: "SyncFailed",
    message,
  });
  return { ...budget.status, disruptionsAllowed: 0, conditions };
}

function grantsOf(budget: PodDisruptionBudget, pods: readonly Pod[]) {
  return pods.flatMap((pod) => {
    const time = budget.status?.disruptedPods?.[nameOf(pod)];
    if (time === undefined || pod.metadata.deletionTimestamp !== undefined) return [];
    return [{ pod, time, dueMs: Date.parse(time) + deletionTimeoutMs }];
  });
}

/** Whether the budget counts against what controllers want, not against the pods that are there. */
export function needsScale({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === "string";
}

function wantedOf(
  { spec }: PodDisruptionBudget,
  podCount: number,
  scale: number,
): { readonly expectedPods: number; readonly desiredHealthy: number } {
  const { maxUnavailable, minAvailable } = spec ?? {};
  if (maxUnavailable !== undefined) {
    const unavailable = resolveShare(maxUnavailable, scale, Math.ceil);
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - unavailable) };
  }
  if (typeof minAvailable === "number") {
    return { expectedPods: podCount, desiredHealthy: minAvailable };
  }
  if (minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  return { expectedPods: scale, desiredHealthy: resolveShare(minAvailable, scale, Math.ceil) };
}

function conditionsAfter(
  { metadata, status }: PodDisruptionBudget,
  nowMs: number,
  now: Pick<Condition, "status" | "reason" | "message">,
): readonly Condition[] {
  const type = "DisruptionAllowed";
  const known = status?.conditions ?? [];
  const before = known.find((condition) => condition.type === type);
  const same = before?.status === now.status;
  const condition: Condition = {
    type,
    ...now,
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: same ? before.lastTransitionTime : rfc3339(nowMs),
  };
  return [...known.filter((other) => other.type !== type), condition];
}
