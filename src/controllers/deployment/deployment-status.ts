import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { rfc3339 } from "#base/clock.ts";
import { maxUnavailableOf, wantedReplicas } from "#controllers/deployment/rounding.ts";
import { positive } from "#controllers/replica-set/plan-replica-set.ts";

export interface RolloutState {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  readonly all: readonly ReplicaSet[];
  readonly nowMs: number;
}

/** The numbers, and the condition Available. Other conditions stay as `conditions` has them. */
export function countedStatus(
  { deployment, newest, all, nowMs }: RolloutState,
  conditions: readonly DeploymentCondition[],
): DeploymentStatus {
  const sum = (count: (set: ReplicaSet) => number | undefined): number =>
    all.reduce((total, set) => total + (count(set) ?? 0), 0);
  const available = sum((set) => set.status?.availableReplicas);
  const wanted = sum((set) => set.spec?.replicas ?? 1);
  const terminating = all.every((set) => set.status?.terminatingReplicas !== undefined);
  const collisionCount = deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive(
      "replicas",
      sum((set) => set.status?.replicas),
    ),
    ...positive("updatedReplicas", newest?.status?.replicas ?? 0),
    ...positive(
      "readyReplicas",
      sum((set) => set.status?.readyReplicas),
    ),
    ...positive("availableReplicas", available),
    ...positive("unavailableReplicas", Math.max(0, wanted - available)),
    ...(terminating && { terminatingReplicas: sum((set) => set.status?.terminatingReplicas) }),
    ...(collisionCount !== undefined && { collisionCount }),
    conditions: withCondition(conditions, availability(deployment, available, nowMs)),
  };
}

/** The status during a rollout: also how it progresses and what the ReplicaSets could not do. */
export function rolloutStatus(
  state: RolloutState,
  conditions: readonly DeploymentCondition[],
): DeploymentStatus {
  const counted = countedStatus(state, conditions);
  const progressed = hasDeadline(state.deployment)
    ? withProgress(state, counted)
    : withoutCondition(counted.conditions ?? [], "Progressing");
  const failure = replicaFailure(state);
  const final = failure
    ? withCondition(progressed, failure)
    : withoutCondition(progressed, "ReplicaFailure");
  return { ...counted, conditions: final };
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = wantedReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

export function hasDeadline(deployment: Deployment): boolean {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  return seconds !== undefined && seconds !== int32Max;
}

/** When to look again whether the rollout got stuck; undefined when nothing is to be waited for. */
export function deadlineInMs(
  deployment: Deployment,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined {
  const progressing = conditionOf(status.conditions, "Progressing");
  if (!hasDeadline(deployment) || progressing === undefined) return undefined;
  if (isComplete(deployment, status) || progressing.reason === "ProgressDeadlineExceeded") {
    return undefined;
  }
  return Math.max(deadlineMs(deployment, progressing) - nowMs, 0) + 1000;
}

export function conditionOf(
  conditions: readonly DeploymentCondition[] | undefined,
  type: string,
): DeploymentCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Sets a condition unless it says the same already; the transition is when its status last changed. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  condition: DeploymentCondition,
): readonly DeploymentCondition[] {
  const known = conditionOf(conditions, condition.type);
  if (known?.status === condition.status && known.reason === condition.reason) return conditions;
  const { lastTransitionTime } = known?.status === condition.status ? known : condition;
  return [
    ...withoutCondition(conditions, condition.type),
    { ...condition, ...(lastTransitionTime && { lastTransitionTime }) },
  ];
}

export function progressingCondition(
  facts: { readonly status: string; readonly reason: string; readonly message: string },
  nowMs: number,
): DeploymentCondition {
  return newCondition({ type: "Progressing", ...facts }, nowMs);
}

function newCondition(
  facts: Pick<DeploymentCondition, "type" | "status" | "reason" | "message">,
  nowMs: number,
): DeploymentCondition {
  const now = rfc3339(nowMs);
  const { type, status, reason, message } = facts;
  return {
    type,
    status,
    lastUpdateTime: now,
    lastTransitionTime: now,
    ...(reason && { reason }),
    ...(message && { message }),
  };
}

/** The largest int32: upstream's way to say "never". */
const int32Max = 2_147_483_647;

function withoutCondition(
  conditions: readonly DeploymentCondition[],
  type: string,
): readonly DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}

function availability(
  deployment: Deployment,
  available: number,
  nowMs: number,
): DeploymentCondition {
  const enough = available >= wantedReplicas(deployment) - maxUnavailableOf(deployment);
  return newCondition(
    enough
      ? {
          type: "Available",
          status: "True",
          reason: "MinimumReplicasAvailable",
          message: "Deployment has minimum availability.",
        }
      : {
          type: "Available",
          status: "False",
          reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.",
        },
    nowMs,
  );
}

function withProgress(
  { deployment, newest, nowMs }: RolloutState,
  status: DeploymentStatus,
): readonly DeploymentCondition[] {
  const conditions = status.conditions ?? [];
  const current = conditionOf(deployment.status?.conditions, "Progressing");
  const settled =
    status.replicas === status.updatedReplicas && current?.reason === "NewReplicaSetAvailable";
  if (settled) return conditions;
  const about = newest ? `ReplicaSet "${nameOf(newest)}"` : `Deployment "${nameOf(deployment)}"`;
  const say = (status: string, reason: string, what: string): DeploymentCondition =>
    progressingCondition({ status, reason, message: `${about} ${what}` }, nowMs);
  if (isComplete(deployment, status)) {
    const done = say("True", "NewReplicaSetAvailable", "has successfully progressed.");
    return withCondition(conditions, done);
  }
  if (madeProgress(deployment.status, status)) {
    // Even where it says the same, the time of the last progress is renewed.
    const moving = say("True", "ReplicaSetUpdated", "is progressing.");
    const kept = current?.status === "True" ? current.lastTransitionTime : undefined;
    return [
      ...withoutCondition(conditions, "Progressing"),
      { ...moving, ...(kept && { lastTransitionTime: kept }) },
    ];
  }
  if (isTimedOut(deployment, conditions, nowMs)) {
    const stuck = say("False", "ProgressDeadlineExceeded", "has timed out progressing.");
    return withCondition(conditions, stuck);
  }
  return conditions;
}

function madeProgress(old: DeploymentStatus | undefined, status: DeploymentStatus): boolean {
  const stale = (one: DeploymentStatus | undefined): number =>
    (one?.replicas ?? 0) - (one?.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (old?.updatedReplicas ?? 0) ||
    stale(status) < stale(old) ||
    (status.readyReplicas ?? 0) > (old?.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old?.availableReplicas ?? 0)
  );
}

function isTimedOut(
  deployment: Deployment,
  conditions: readonly DeploymentCondition[],
  nowMs: number,
): boolean {
  const progressing = conditionOf(conditions, "Progressing");
  if (progressing === undefined || progressing.reason === "NewReplicaSetAvailable") return false;
  if (progressing.reason === "ProgressDeadlineExceeded") return true;
  return deadlineMs(deployment, progressing) < nowMs;
}

function deadlineMs(deployment: Deployment, progressing: DeploymentCondition): number {
  const seconds = deployment.spec?.progressDeadlineSeconds ?? 0;
  return Date.parse(progressing.lastUpdateTime ?? "") + seconds * 1000;
}

/** The newest ReplicaSet's failure counts before an older one's. */
function replicaFailure({ newest, all }: RolloutState): DeploymentCondition | undefined {
  const ordered = newest ? [newest, ...all] : all;
  const failure = ordered
    .flatMap((set) => set.status?.conditions ?? [])
    .find((condition) => condition.type === "ReplicaFailure");
  if (failure === undefined) return undefined;
  const { lastTransitionTime } = failure;
  return { ...failure, ...(lastTransitionTime && { lastUpdateTime: lastTransitionTime }) };
}
