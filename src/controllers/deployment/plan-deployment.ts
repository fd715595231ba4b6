import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  LabelSelector,
  Pod,
  PodTemplateSpec,
  ReplicaSet,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { deployments } from "#api/resources.ts";
import {
  conditionOf,
  countedStatus,
  deadlineInMs,
  hasDeadline,
  isComplete,
  progressingCondition,
  rolloutStatus,
  withCondition,
} from "#controllers/deployment/deployment-status.ts";
import {
  newestAnnotations,
  nextRevision,
  revisionAnnotation,
  revisionOf,
  sizeAnnotations,
} from "#controllers/deployment/revisions.ts";
import {
  byCreation,
  clearOld,
  createSizes,
  isScaling,
  newestSize,
  rollOn,
  scale,
  type Sizes,
} from "#controllers/deployment/rollout.ts";
import { isRollingUpdate, wantedReplicas } from "#controllers/deployment/rounding.ts";
import {
  isSameTemplate,
  templateHash,
  templateHashLabel,
} from "#controllers/deployment/template-hash.ts";
import { sameJson } from "#controllers/same-json.ts";
import { controllerRefTo } from "#reconcile/owners.ts";

export interface ObservedDeployment {
  readonly deployment: Deployment;
  /** Those it owns. */
  readonly replicaSets: readonly ReplicaSet[];
  podsOf(replicaSet: ReplicaSet): Iterable<Pod>;
  readonly nowMs: number;
}

export type DeploymentAction =
  | { readonly kind: "create"; readonly replicaSet: ReplicaSet }
  | { readonly kind: "update"; readonly replicaSet: ReplicaSet; readonly from: number }
  | { readonly kind: "delete"; readonly replicaSet: ReplicaSet }
  | { readonly kind: "noteRevision"; readonly revision: string };

export interface DeploymentPlan {
  readonly actions: readonly DeploymentAction[];
  readonly status: DeploymentStatus;
  /** When time alone may change the plan. */
  readonly againInMs?: number;
}

/** The next step of a Deployment, as upstream's controller takes it; taking it makes for the step after. */
export function planDeployment(observed: ObservedDeployment): DeploymentPlan {
  return new Planner(observed).plan();
}

class Planner {
  readonly #observed: ObservedDeployment;
  readonly #deployment: Deployment;
  readonly #olds: readonly ReplicaSet[];
  #newest: ReplicaSet | undefined;
  #created = false;
  readonly #sizes: Sizes;
  readonly #sized = new Set<ReplicaSet>();
  #deletions: readonly ReplicaSet[] = [];

  constructor(observed: ObservedDeployment) {
    const { deployment, replicaSets } = observed;
    const sorted = replicaSets.toSorted(byCreation);
    const template = deployment.spec?.template ?? {};
    this.#observed = observed;
    this.#deployment = deployment;
    this.#newest = sorted.find((set) => isSameTemplate(template, set));
    this.#olds = sorted.filter((set) => set !== this.#newest);
    this.#sizes = createSizes(sorted);
  }

  plan(): DeploymentPlan {
    const leaving = this.#deployment.metadata.deletionTimestamp !== undefined;
    if (leaving) return { actions: [], status: countedStatus(this.#state(), this.#conditions()) };
    const onlyScale =
      this.#deployment.spec?.paused === true || isScaling(this.#deployment, this.#all());
    if (onlyScale) this.#scale();
    else if (isRollingUpdate(this.#deployment)) this.#rollingUpdate();
    else this.#recreate();
    const actions = this.#actions();
    const state = this.#state();
    const status = onlyScale
      ? countedStatus(state, this.#conditions())
      : rolloutStatus(state, this.#conditions());
    const againInMs = deadlineInMs(this.#deployment, status, this.#observed.nowMs);
    return { actions, status, ...(againInMs !== undefined && { againInMs }) };
  }

  #scale(): void {
    const sets = { deployment: this.#deployment, newest: this.#newest, olds: this.#olds };
    for (const set of scale(sets, this.#sizes)) this.#sized.add(set);
    if (this.#deployment.spec?.paused) this.#cleanUp();
  }

  #rollingUpdate(): void {
    const newest = this.#newest ?? this.#create();
    rollOn({ deployment: this.#deployment, newest, olds: this.#olds }, this.#sizes);
    this.#cleanUpWhenComplete();
  }

  /** The new version starts when no pod of an old one is left. */
  #recreate(): void {
    if (clearOld(this.#olds, this.#sizes, (set) => this.#observed.podsOf(set))) return;
    const newest = this.#newest ?? this.#create();
    this.#sizes.set(newest, wantedReplicas(this.#deployment));
    this.#cleanUpWhenComplete();
  }

  #create(): ReplicaSet {
    const deployment = this.#deployment;
    const sets = { deployment, newest: undefined, olds: this.#olds };
    const replicas = newestSize(sets, this.#sizes);
    const created = newReplicaSet(deployment, replicas, nextRevision(this.#olds));
    this.#sizes.set(created, replicas);
    this.#created = true;
    this.#newest = created;
    return created;
  }

  #cleanUpWhenComplete(): void {
    if (isComplete(this.#deployment, this.#deployment.status ?? {})) this.#cleanUp();
  }

  /** Beyond the limit, the oldest revisions that are scaled to nothing are forgotten. */
  #cleanUp(): void {
    const limit = this.#deployment.spec?.revisionHistoryLimit;
    if (limit === undefined || limit === int32Max) return;
    const kept = this.#olds.filter((set) => set.metadata.deletionTimestamp === undefined);
    const oldest = kept.toSorted((one, other) => Number(revisionOf(one) - revisionOf(other)));
    this.#deletions = oldest
      .slice(0, Math.max(0, kept.length - limit))
      .filter((set) => isIdle(set) && this.#sizes.of(set) === 0);
  }

  #actions(): readonly DeploymentAction[] {
    const updates = this.#all().flatMap((set) => this.#updateOf(set));
    const creation: DeploymentAction[] =
      this.#created && this.#newest ? [{ kind: "create", replicaSet: this.#newest }] : [];
    const deletions = this.#deletions.map((replicaSet): DeploymentAction => ({
      kind: "delete",
      replicaSet,
    }));
    return [...creation, ...updates, ...deletions, ...this.#revisionNote()];
  }

  #updateOf(set: ReplicaSet): DeploymentAction[] {
    if (this.#created && set === this.#newest) return [];
    const wanted = this.#wantedForm(set);
    if (sameJson(wanted, set)) return [];
    return [{ kind: "update", replicaSet: wanted, from: set.spec?.replicas ?? 1 }];
  }

  #wantedForm(set: ReplicaSet): ReplicaSet {
    const replicas = this.#sizes.of(set);
    const resized = this.#sized.has(set) || replicas !== (set.spec?.replicas ?? 1);
    const current = set.metadata.annotations ?? {};
    const isNewest = set === this.#newest;
    const named = isNewest
      ? newestAnnotations(this.#deployment, current, nextRevision(this.#olds))
      : current;
    const annotations = resized ? { ...named, ...sizeAnnotations(this.#deployment) } : named;
    const { minReadySeconds } = (isNewest ? this.#deployment : set).spec ?? {};
    const { minReadySeconds: _old, ...spec } = set.spec ?? { selector: {} };
    return {
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...spec, ...(minReadySeconds ? { minReadySeconds } : {}), replicas },
    };
  }

  /** The Deployment carries the revision of its newest ReplicaSet. */
  #revisionNote(): DeploymentAction[] {
    if (this.#newest === undefined) return [];
    const revision = this.#wantedForm(this.#newest).metadata.annotations?.[revisionAnnotation];
    const noted = this.#deployment.metadata.annotations?.[revisionAnnotation];
    if (revision === undefined || revision === noted) return [];
    return [{ kind: "noteRevision", revision }];
  }

  #conditions(): readonly DeploymentCondition[] {
    const conditions = this.#pauseConditions(this.#deployment.status?.conditions ?? []);
    if (!hasDeadline(this.#deployment) || this.#newest === undefined) return conditions;
    const say = (reason: string, message: string): readonly DeploymentCondition[] => {
      const facts = { status: "True", reason, message };
      return withCondition(conditions, progressingCondition(facts, this.#observed.nowMs));
    };
    const name = nameOf(this.#newest);
    if (this.#created) return say("NewReplicaSetCreated", `Created new replica set "${name}"`);
    if (conditionOf(conditions, "Progressing")) return conditions;
    return say("FoundNewReplicaSet", `Found new replica set "${name}"`);
  }

  #pauseConditions(conditions: readonly DeploymentCondition[]): readonly DeploymentCondition[] {
    const progressing = conditionOf(conditions, "Progressing");
    if (!hasDeadline(this.#deployment) || progressing?.reason === "ProgressDeadlineExceeded") {
      return conditions;
    }
    const paused = this.#deployment.spec?.paused ?? false;
    if (paused === (progressing?.reason === "DeploymentPaused")) return conditions;
    const facts = paused
      ? { status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" }
      : { status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" };
    return withCondition(conditions, progressingCondition(facts, this.#observed.nowMs));
  }

  #state() {
    const planned = this.#all().map((set) => this.#sizedForm(set));
    const newest = this.#newest && this.#sizedForm(this.#newest);
    return { deployment: this.#deployment, newest, all: planned, nowMs: this.#observed.nowMs };
  }

  #sizedForm(set: ReplicaSet): ReplicaSet {
    const spec = set.spec ?? { selector: {} };
    return { ...set, spec: { ...spec, replicas: this.#sizes.of(set) } };
  }

  #all(): readonly ReplicaSet[] {
    return this.#newest ? [...this.#olds, this.#newest] : this.#olds;
  }
}

const int32Max = 2_147_483_647;

function isIdle(set: ReplicaSet): boolean {
  const { replicas = 0, observedGeneration = 0 } = set.status ?? {};
  return (
    replicas === 0 &&
    (set.spec?.replicas ?? 1) === 0 &&
    (set.metadata.generation ?? 0) <= observedGeneration
  );
}

function newReplicaSet(deployment: Deployment, replicas: number, revision: bigint): ReplicaSet {
  const template = deployment.spec?.template ?? {};
  const hash = templateHash(template, deployment.status?.collisionCount);
  const labelled = labelledTemplate(template, hash);
  const minReadySeconds = deployment.spec?.minReadySeconds;
  const annotations = {
    ...newestAnnotations(deployment, {}, revision),
    ...sizeAnnotations(deployment),
  };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${nameOf(deployment)}-${hash}`,
      namespace: namespaceOf(deployment),
      labels: labelled.metadata?.labels ?? {},
      annotations,
      ownerReferences: [controllerRefTo(deployments, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds && { minReadySeconds }),
      selector: labelledSelector(deployment.spec?.selector ?? {}, hash),
      template: labelled,
    },
  };
}

function labelledTemplate(template: PodTemplateSpec, hash: string): PodTemplateSpec {
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash };
  return { ...template, metadata: { ...template.metadata, labels } };
}

function labelledSelector(selector: LabelSelector, hash: string): LabelSelector {
  return { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } };
}
