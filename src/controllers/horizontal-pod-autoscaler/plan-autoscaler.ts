import type {
  Pod,
  V2HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  V2HorizontalPodAutoscalerStatus,
  MetricStatus,
} from "#api/generated/types.ts";
import { rfc3339 } from "#base/clock.ts";
import {
  limitChange,
  noteChange,
  type History,
} from "#controllers/horizontal-pod-autoscaler/limit-change.ts";
import type { Reading } from "#controllers/horizontal-pod-autoscaler/metric-reading.ts";
import {
  proposeForMetric,
  type MetricOutcome,
} from "#controllers/horizontal-pod-autoscaler/propose-for-metric.ts";
import type { RecordedEvent } from "#reconcile/event-recorder.ts";

export interface ObservedAutoscaler {
  readonly autoscaler: V2HorizontalPodAutoscaler;
  readonly scale: TargetScale;
  /** One for each metric; absent where the number does not depend on them. */
  readonly readings: readonly Reading[];
  /** What the scale selects. */
  readonly pods: readonly Pod[];
  /** Why the selector is of no use, where it is not. */
  readonly selectorProblem?: SelectorProblem;
  readonly history: History;
  readonly nowMs: number;
}

export interface TargetScale {
  readonly replicas: number;
  readonly statusReplicas: number;
  readonly selector: string;
}

export interface SelectorProblem {
  readonly reason: "SelectorRequired" | "InvalidSelector" | "AmbiguousSelector";
  readonly message: string;
}

export interface AutoscalerPlan {
  /** What the target is to be scaled to, and why; absent: as it is. */
  readonly rescale?: { readonly replicas: number; readonly reason: string };
  readonly status: V2HorizontalPodAutoscalerStatus;
  readonly events: readonly RecordedEvent[];
  readonly history: History;
}

/** Whether the number follows from the metrics: at zero, or out of bounds, it does not. */
export function needsMetrics({ spec }: V2HorizontalPodAutoscaler, current: number): boolean {
  return current > 0 && current <= (spec?.maxReplicas ?? 0) && current >= (spec?.minReplicas ?? 1);
}

export function planAutoscaler(observed: ObservedAutoscaler): AutoscalerPlan {
  const { autoscaler, scale } = observed;
  const conditions = new Conditions(autoscaler.status?.conditions ?? [], observed.nowMs);
  conditions.set("AbleToScale", true, {
    reason: "SucceededGetScale",
    message: "the HPA controller was able to get the target's current scale",
  });
  const history = withFirst(observed);
  const current = scale.replicas;
  const { maxReplicas, minReplicas = 1 } = autoscaler.spec ?? noSpec;
  if (needsMetrics(autoscaler, current)) {
    return planByMetrics({ ...observed, history }, conditions);
  }
  if (current === 0) {
    conditions.set("ScalingActive", false, {
      reason: "ScalingDisabled",
      message: "scaling is disabled since the replica count of the target is zero",
    });
    const status = statusOf(observed, { conditions, desired: 0, metrics: [] });
    return { status, events: [], history };
  }
  const replicas = current > maxReplicas ? maxReplicas : minReplicas;
  const bound = current > maxReplicas ? "above Spec.MaxReplicas" : "below Spec.MinReplicas";
  const status = statusOf(observed, { conditions, desired: replicas, metrics: [] });
  const rescale = { replicas, reason: `Current number of replicas ${bound}` };
  return { rescale, status, events: [], history };
}

/** The status when the target's scale could not be read. */
export function planWithoutScale(
  autoscaler: V2HorizontalPodAutoscaler,
  problem: string,
  nowMs: number,
): Pick<AutoscalerPlan, "status" | "events"> {
  const conditions = new Conditions(autoscaler.status?.conditions ?? [], nowMs);
  conditions.set("AbleToScale", false, {
    reason: "FailedGetScale",
    message: `the HPA controller was unable to get the target's current scale: ${problem}`,
  });
  return {
    status: { ...keptStatus(autoscaler), conditions: conditions.all() },
    events: [{ type: "Warning", reason: "FailedGetScale", message: problem }],
  };
}

/** The plan once the target was scaled, or was not. */
export function planAfterRescale(
  plan: AutoscalerPlan,
  { current, problem, autoscaler, nowMs }: Rescaled,
): AutoscalerPlan {
  const { rescale } = plan;
  if (rescale === undefined) return plan;
  const { replicas, reason } = rescale;
  const conditions = new Conditions(plan.status.conditions ?? [], nowMs);
  if (problem !== undefined) {
    conditions.set("AbleToScale", false, {
      reason: "FailedUpdateScale",
      message: `the HPA controller was unable to update the target scale: ${problem}`,
    });
    const message = `New size: ${replicas}; reason: ${reason}; error: ${problem}`;
    const { desiredReplicas } = keptStatus(autoscaler);
    return {
      ...plan,
      status: { ...plan.status, desiredReplicas, conditions: conditions.all() },
      events: [...plan.events, { type: "Warning", reason: "FailedRescale", message }],
    };
  }
  conditions.set("AbleToScale", true, {
    reason: "SucceededRescale",
    message: `the HPA controller was able to update the target scale to ${replicas}`,
  });
  const message = `New size: ${replicas}; reason: ${reason}`;
  return {
    rescale,
    status: { ...plan.status, lastScaleTime: rfc3339(nowMs), conditions: conditions.all() },
    events: [...plan.events, { type: "Normal", reason: "SuccessfulRescale", message }],
    history: noteChange(plan.history, { from: current, to: replicas, nowMs }),
  };
}

export interface Rescaled {
  readonly autoscaler: V2HorizontalPodAutoscaler;
  readonly current: number;
  readonly problem?: string;
  readonly nowMs: number;
}

function planByMetrics(observed: ObservedAutoscaler, conditions: Conditions): AutoscalerPlan {
  const { autoscaler, scale, history, selectorProblem } = observed;
  const current = scale.replicas;
  if (selectorProblem) return failBySelector(observed, conditions, selectorProblem);
  const outcomes = outcomesOf(observed);
  const metrics = outcomes.flatMap((one) => (one.kind === "proposal" ? [one.status] : []));
  const problems = outcomes.filter((one) => one.kind === "problem");
  const events = problems.map(({ reason, error }): RecordedEvent => {
    return { type: "Warning", reason, message: error };
  });
  const best = highest(outcomes);
  const [first] = problems;
  // What is not known might want more: then nothing is taken away.
  if (best === undefined || (first && best.replicas < current)) {
    return failByMetrics({ observed, conditions, outcomes, events, metrics });
  }
  conditions.set("ScalingActive", true, {
    reason: "ValidMetricFound",
    message: `the HPA was able to successfully calculate a replica count from ${best.name}`,
  });
  const spec = autoscaler.spec ?? noSpec;
  const limited = limitChange({ ...observed, spec, current, desired: best.replicas, history });
  conditions.set("AbleToScale", true, limited.ableToScale);
  conditions.set("ScalingLimited", limited.scalingLimited.limited, limited.scalingLimited);
  const { replicas } = limited;
  const reason = best.replicas > current ? `${best.name} above target` : "All metrics below target";
  return {
    ...(replicas !== current && {
      rescale: { replicas, reason: best.replicas === current ? "" : reason },
    }),
    status: statusOf(observed, { conditions, desired: replicas, metrics }),
    events,
    history: limited.history,
  };
}

const noSpec = { maxReplicas: 0, scaleTargetRef: { kind: "", name: "" } };

function outcomesOf(observed: ObservedAutoscaler): readonly MetricOutcome[] {
  const { autoscaler, scale, readings, pods, nowMs } = observed;
  const { replicas: currentReplicas, statusReplicas } = scale;
  const shared = { autoscaler, pods, currentReplicas, statusReplicas, nowMs };
  return (autoscaler.spec?.metrics ?? []).map((metric, at) => {
    const reading = readings[at] ?? { kind: "problem", message: "it was not read" };
    return proposeForMetric({ ...shared, metric, reading });
  });
}

type MetricProposal = Extract<MetricOutcome, { kind: "proposal" }>;

function highest(outcomes: readonly MetricOutcome[]): MetricProposal | undefined {
  let best: MetricProposal | undefined;
  for (const outcome of outcomes) {
    if (outcome.kind !== "proposal") continue;
    if (best === undefined || best.replicas === 0 || outcome.replicas > best.replicas) {
      best = outcome;
    }
  }
  return best;
}

function failBySelector(
  observed: ObservedAutoscaler,
  conditions: Conditions,
  { reason, message }: SelectorProblem,
): AutoscalerPlan {
  const isMissing = reason === "SelectorRequired";
  conditions.set("ScalingActive", false, {
    reason: isMissing ? "InvalidSelector" : reason,
    message: isMissing ? "the HPA target's scale is missing a selector" : message,
  });
  return {
    status: statusOf(observed, { conditions, desired: keptDesired(observed), metrics: [] }),
    events: [
      { type: "Warning", reason, message },
      { type: "Warning", reason: "FailedComputeMetricsReplicas", message },
    ],
    history: observed.history,
  };
}

interface Failing {
  readonly observed: ObservedAutoscaler;
  readonly conditions: Conditions;
  readonly outcomes: readonly MetricOutcome[];
  readonly events: readonly RecordedEvent[];
  readonly metrics: readonly MetricStatus[];
}

function failByMetrics({
  observed,
  conditions,
  outcomes,
  events,
  metrics,
}: Failing): AutoscalerPlan {
  const problems = outcomes.filter((one) => one.kind === "problem");
  const [first] = problems;
  conditions.set("ScalingActive", false, {
    reason: first?.reason ?? "InvalidMetricSourceType",
    message: `the HPA was unable to compute the replica count: ${first?.error ?? "it has no metrics"}`,
  });
  const counts = `${problems.length} invalid out of ${outcomes.length}`;
  const message = `invalid metrics (${counts}), first error is: ${first?.summary ?? ""}`;
  return {
    status: statusOf(observed, { conditions, desired: keptDesired(observed), metrics }),
    events: [...events, { type: "Warning", reason: "FailedComputeMetricsReplicas", message }],
    history: observed.history,
  };
}

/** What was there before it was looked at counts as the first recommendation. */
function withFirst({ history, scale, nowMs }: ObservedAutoscaler): History {
  if (history.recommendations.length > 0) return history;
  return { ...history, recommendations: [{ replicas: scale.replicas, atMs: nowMs }] };
}

function keptDesired({ autoscaler }: ObservedAutoscaler): number {
  return keptStatus(autoscaler).desiredReplicas;
}

function keptStatus({ status }: V2HorizontalPodAutoscaler): V2HorizontalPodAutoscalerStatus {
  return { ...status, desiredReplicas: status?.desiredReplicas ?? 0 };
}

function statusOf(
  { autoscaler, scale }: ObservedAutoscaler,
  next: {
    readonly conditions: Conditions;
    readonly desired: number;
    readonly metrics: readonly MetricStatus[];
  },
): V2HorizontalPodAutoscalerStatus {
  const { lastScaleTime } = autoscaler.status ?? {};
  return {
    ...(lastScaleTime && { lastScaleTime }),
    currentReplicas: scale.replicas,
    desiredReplicas: next.desired,
    ...(next.metrics.length > 0 && { currentMetrics: next.metrics }),
    conditions: next.conditions.all(),
  };
}

/** Conditions in the order in which they were first set; a time changes with the status only. */
class Conditions {
  readonly #conditions: Map<string, HorizontalPodAutoscalerCondition>;
  readonly #nowMs: number;

  constructor(known: readonly HorizontalPodAutoscalerCondition[], nowMs: number) {
    this.#conditions = new Map(known.map((condition) => [condition.type, condition]));
    this.#nowMs = nowMs;
  }

  set(
    type: string,
    holds: boolean,
    { reason, message }: { readonly reason: string; readonly message: string },
  ): void {
    const status = holds ? "True" : "False";
    const known = this.#conditions.get(type);
    const lastTransitionTime =
      known?.status === status && known.lastTransitionTime
        ? known.lastTransitionTime
        : rfc3339(this.#nowMs);
    this.#conditions.set(type, { type, status, lastTransitionTime, reason, message });
  }

  all(): readonly HorizontalPodAutoscalerCondition[] {
    return [...this.#conditions.values()];
  }
}
