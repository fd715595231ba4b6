import type {
  HPAScalingPolicy,
  HPAScalingRules,
  V2HorizontalPodAutoscalerSpec,
} from "#api/generated/types.ts";

/** What an autoscaler has recommended and done lately. */
export interface History {
  readonly recommendations: readonly { readonly replicas: number; readonly atMs: number }[];
  readonly changes: readonly Change[];
}

interface Change {
  readonly kind: "up" | "down";
  readonly count: number;
  readonly atMs: number;
}

export const noHistory: History = { recommendations: [], changes: [] };

export interface Wanted {
  readonly spec: V2HorizontalPodAutoscalerSpec;
  readonly current: number;
  readonly desired: number;
  readonly history: History;
  readonly nowMs: number;
}

export interface Limited {
  readonly replicas: number;
  readonly ableToScale: Reason;
  readonly scalingLimited: Reason & { readonly limited: boolean };
  readonly history: History;
}

interface Reason {
  readonly reason: string;
  readonly message: string;
}

/** How long the highest recommendation counts where nothing else is said. */
const stabilizationSeconds = 300;

/** Brings what the metrics ask for within what history, policies and bounds allow. */
export function limitChange(observed: Wanted): Limited {
  const wanted = { ...observed, history: notLater(observed.history, observed.nowMs) };
  const stable = stabilize(wanted);
  const { replicas, ...why } = withinBounds({ ...wanted, desired: stable.replicas });
  return {
    replicas,
    ableToScale: stable.why,
    scalingLimited: { ...why, limited: replicas !== stable.replicas },
    history: noteRecommendation(wanted),
  };
}

/** Where the clock was put back, what seems to come later is of now, and ages from now on. */
function notLater({ recommendations, changes }: History, nowMs: number): History {
  const atLatest = <T extends { readonly atMs: number }>(entry: T): T =>
    entry.atMs > nowMs ? { ...entry, atMs: nowMs } : entry;
  return { recommendations: recommendations.map(atLatest), changes: changes.map(atLatest) };
}

export function noteChange(
  history: History,
  { from, to, nowMs }: { readonly from: number; readonly to: number; readonly nowMs: number },
): History {
  const change: Change =
    to > from
      ? { kind: "up", count: to - from, atMs: nowMs }
      : { kind: "down", count: from - to, atMs: nowMs };
  const recent = history.changes.filter(({ atMs }) => atMs >= nowMs - periodMaxMs);
  return { ...history, changes: [...recent, change] };
}

/** The longest period that validation lets a policy have. */
const periodMaxMs = 1_800_000;

function noteRecommendation({ spec, desired, history, nowMs }: Wanted): History {
  const { up, down } = windowsOf(spec);
  const oldestMs = nowMs - Math.max(up, down) * 1000;
  const recent = history.recommendations.filter(({ atMs }) => atMs >= oldestMs);
  return { ...history, recommendations: [...recent, { replicas: desired, atMs: nowMs }] };
}

function windowsOf({ behavior }: V2HorizontalPodAutoscalerSpec): { up: number; down: number } {
  return {
    up: behavior?.scaleUp?.stabilizationWindowSeconds ?? 0,
    down: behavior?.scaleDown?.stabilizationWindowSeconds ?? stabilizationSeconds,
  };
}

function stabilize(wanted: Wanted): { readonly replicas: number; readonly why: Reason } {
  const { spec, current, desired, history, nowMs } = wanted;
  const { up, down } = windowsOf(spec);
  const within = (seconds: number): readonly number[] =>
    history.recommendations
      .filter(({ atMs }) => atMs > nowMs - seconds * 1000)
      .map(({ replicas }) => replicas);
  const lowest = Math.min(desired, ...within(up));
  const highest = Math.max(desired, ...within(down));
  // Without behaviour only shrinking is held back.
  const replicas =
    spec.behavior === undefined ? highest : Math.min(Math.max(current, lowest), highest);
  if (replicas === desired) {
    const message = "recommended size matches current size";
    return { replicas, why: { reason: "ReadyForNewScale", message } };
  }
  return { replicas, why: spec.behavior && desired >= current ? heldBack : heldUp };
}

const heldBack: Reason = {
  reason: "ScaleUpStabilized",
  message:
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
};

const heldUp: Reason = {
  reason: "ScaleDownStabilized",
  message:
    "recent recommendations were higher than current one, applying the highest recent recommendation",
};

interface Bounded extends Reason {
  readonly replicas: number;
}

function withinBounds(wanted: Wanted): Bounded {
  const { desired, current, spec } = wanted;
  const ceiling = ceilingOf(wanted);
  const floor = floorOf(wanted);
  const grows = spec.behavior === undefined || desired > current;
  const shrinks = spec.behavior === undefined || desired < current;
  if (grows && desired > ceiling.replicas) return ceiling;
  if (shrinks && desired < floor.replicas) return floor;
  return {
    replicas: desired,
    reason: "DesiredWithinRange",
    message: "the desired count is within the acceptable range",
  };
}

function ceilingOf({ spec, current, history, nowMs }: Wanted): Bounded {
  const rules = spec.behavior?.scaleUp;
  const limit =
    rules === undefined
      ? Math.max(2 * current, 4)
      : Math.max(current, policyLimit(rules, { current, history, nowMs, direction: 1 }));
  if (spec.maxReplicas > limit) {
    return {
      replicas: limit,
      reason: "ScaleUpLimit",
      message: "the desired replica count is increasing faster than the maximum scale rate",
    };
  }
  return {
    replicas: spec.maxReplicas,
    reason: "TooManyReplicas",
    message: "the desired replica count is more than the maximum replica count",
  };
}

function floorOf({ spec, current, history, nowMs }: Wanted): Bounded {
  const rules = spec.behavior?.scaleDown;
  const minReplicas = spec.minReplicas ?? 1;
  const limit =
    rules === undefined
      ? minReplicas
      : Math.min(current, policyLimit(rules, { current, history, nowMs, direction: -1 }));
  if (minReplicas < limit) {
    return {
      replicas: limit,
      reason: "ScaleDownLimit",
      message: "the desired replica count is decreasing faster than the maximum scale rate",
    };
  }
  return {
    replicas: minReplicas,
    reason: "TooFewReplicas",
    message: "the desired replica count is less than the minimum replica count",
  };
}

interface Rate {
  readonly current: number;
  readonly history: History;
  readonly nowMs: number;
  readonly direction: 1 | -1;
}

/** How far the policies let the number go, counted from what it was when each one's period began. */
function policyLimit(rules: HPAScalingRules, rate: Rate): number {
  const { selectPolicy = "Max", policies = [] } = rules;
  if (selectPolicy === "Disabled") return rate.current;
  const limits = policies.map((policy) => limitOf(policy, rate));
  const largest = (selectPolicy === "Min") === (rate.direction === -1);
  return largest ? Math.max(...limits) : Math.min(...limits);
}

function limitOf({ type, value, periodSeconds }: HPAScalingPolicy, rate: Rate): number {
  const { current, history, nowMs, direction } = rate;
  let start = current;
  for (const { kind, count, atMs } of history.changes) {
    if (atMs > nowMs - periodSeconds * 1000) start -= kind === "up" ? count : -count;
  }
  if (type === "Pods") return start + direction * value;
  return direction === 1
    ? Math.ceil(start * (1 + value / 100))
    : Math.trunc(start * (1 - value / 100));
}
