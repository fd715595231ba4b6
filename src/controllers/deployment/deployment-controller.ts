import type { Deployment, Pod, ReplicaSet } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey, placeOf } from "#api/meta.ts";
import { deployments, pods, replicaSets } from "#api/resources.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { ifFound, isAlreadyExists } from "#api/status.ts";
import { selectsAll } from "#api/validation/labels.ts";
import { progressingCondition, withCondition } from "#controllers/deployment/deployment-status.ts";
import { planDeployment, type DeploymentAction } from "#controllers/deployment/plan-deployment.ts";
import { revisionAnnotation } from "#controllers/deployment/revisions.ts";
import { isSameTemplate } from "#controllers/deployment/template-hash.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import {
  applyClaim,
  claimCandidates,
  claimIndexes,
  controllerRefOf,
  isControlledBy,
  planClaim,
} from "#reconcile/owners.ts";

/** Moves a Deployment's replicas from the ReplicaSets of old templates to that of the new one. */
export function createDeploymentController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(deployments);
  const setInformer = informers.of(replicaSets, claimIndexes);
  const podInformer = informers.of(pods, claimIndexes);
  const recorder = kit.recorder("deployment-controller");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const deployment = informer.get(parseKey(key));
    if (deployment === undefined) return;
    if (selectsAll(deployment.spec?.selector)) return refuse(deployment, run.signal);
    const sets = await claim(deployment, run.signal);
    const plan = planDeployment({
      deployment,
      replicaSets: sets,
      podsOf: (set) => podInformer.byIndex("controllerUid", set.metadata.uid ?? ""),
      nowMs: clock.now(),
    });
    let current = deployment;
    for (const action of plan.actions) current = await act(current, action, run.signal);
    if (!sameJson(plan.status, deployment.status)) {
      await writeStatus({ ...current, status: plan.status }, run.signal);
    }
    if (plan.againInMs !== undefined) run.requeue(plan.againInMs);
  };

  const claim = (deployment: Deployment, signal: AbortSignal): Promise<readonly ReplicaSet[]> => {
    const matcher = labelSelectorMatcher(deployment.spec?.selector);
    const candidates = claimCandidates(setInformer, deployment);
    return applyClaim(
      planClaim(deployment, candidates, (set) => matcher.matches(set.metadata.labels)),
      { client, owner: deployment, ownerResource: deployments, resource: replicaSets, signal },
    );
  };

  /** Returns the Deployment as it is after the action. */
  const act = async (
    deployment: Deployment,
    action: DeploymentAction,
    signal: AbortSignal,
  ): Promise<Deployment> => {
    switch (action.kind) {
      case "create":
        await create(deployment, action.replicaSet, signal);
        return deployment;
      case "update":
        await client.update(replicaSets, action.replicaSet, { signal });
        tellScaled(deployment, action.replicaSet, action.from);
        return deployment;
      case "delete":
        await remove(action.replicaSet, signal);
        return deployment;
      case "noteRevision": {
        const { metadata } = deployment;
        const annotations = { ...metadata.annotations, [revisionAnnotation]: action.revision };
        const noted = { ...deployment, metadata: { ...metadata, annotations } };
        return client.update(deployments, noted, { signal });
      }
    }
  };

  const create = async (
    deployment: Deployment,
    replicaSet: ReplicaSet,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      await client.create(replicaSets, replicaSet, { signal });
      tellScaled(deployment, replicaSet, 0);
    } catch (error) {
      if (isAlreadyExists(error)) return settleCollision(deployment, replicaSet, signal);
      if (!isNamespaceTerminating(error))
        await tellCreateFailed(deployment, replicaSet, error, signal);
      throw error;
    }
  };

  /** The name is taken: by this very ReplicaSet (a view was stale), or by another, and the hash must change. */
  const settleCollision = async (
    deployment: Deployment,
    wanted: ReplicaSet,
    signal: AbortSignal,
  ): Promise<void> => {
    const existing = await client.get(replicaSets, placeOf(wanted), { signal });
    const template = deployment.spec?.template ?? {};
    if (isControlledBy(existing, deployment) && isSameTemplate(template, existing)) return;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await writeStatus({ ...deployment, status: { ...deployment.status, collisionCount } }, signal);
    throw new Error(`Cannot create ReplicaSet "${nameOf(wanted)}": the name is taken`);
  };

  const tellCreateFailed = async (
    ...[deployment, replicaSet, error, signal]: [Deployment, ReplicaSet, unknown, AbortSignal]
  ): Promise<void> => {
    const reason = "ReplicaSetCreateError";
    const problem = error instanceof Error ? error.message : String(error);
    const message = `Failed to create new replica set "${nameOf(replicaSet)}": ${problem}`;
    recorder.record(deployment, { type: "Warning", reason, message });
    if (deployment.spec?.progressDeadlineSeconds === undefined) return;
    const condition = progressingCondition({ status: "False", reason, message }, clock.now());
    const conditions = withCondition(deployment.status?.conditions ?? [], condition);
    await writeStatus({ ...deployment, status: { ...deployment.status, conditions } }, signal);
  };

  const tellScaled = (deployment: Deployment, set: ReplicaSet, from: number): void => {
    const to = set.spec?.replicas ?? 1;
    if (to === from) return;
    const direction = to > from ? "up" : "down";
    recorder.record(deployment, {
      type: "Normal",
      reason: "ScalingReplicaSet",
      message: `Scaled ${direction} replica set ${nameOf(set)} from ${from} to ${to}`,
    });
  };

  const remove = async (set: ReplicaSet, signal: AbortSignal): Promise<void> => {
    await ifFound(client.delete(replicaSets, placeOf(set), { signal }));
  };

  const refuse = async (deployment: Deployment, signal: AbortSignal): Promise<void> => {
    recorder.record(deployment, {
      type: "Warning",
      reason: "SelectingAll",
      message: "This deployment is selecting all pods. A non-empty selector is required.",
    });
    const { generation = 0 } = deployment.metadata;
    if ((deployment.status?.observedGeneration ?? 0) >= generation) return;
    const status = { ...deployment.status, observedGeneration: generation };
    await writeStatus({ ...deployment, status }, signal);
  };

  const writeStatus = async (deployment: Deployment, signal: AbortSignal): Promise<void> => {
    await client.update(deployments, deployment, { subresource: "status", signal });
  };

  const ownersOf = function* (set: ReplicaSet): Generator<string> {
    const reference = controllerRefOf(set);
    if (reference?.kind === "Deployment") yield `${namespaceOf(set)}/${reference.name}`;
    if (reference !== undefined) return;
    for (const deployment of informer.list(namespaceOf(set))) {
      const matcher = labelSelectorMatcher(deployment.spec?.selector);
      if (matcher.matches(set.metadata.labels)) yield keyOf(deployment);
    }
  };

  /** Only Recreate waits for pods: for the last old one to go. */
  const recreatedBy = (pod: Pod): readonly string[] => {
    const reference = controllerRefOf(pod);
    if (reference?.kind !== "ReplicaSet") return [];
    const namespace = namespaceOf(pod);
    const set = setInformer.get({ name: reference.name, namespace });
    const owner = set && controllerRefOf(set);
    if (owner?.kind !== "Deployment") return [];
    const deployment = informer.get({ name: owner.name, namespace });
    return deployment?.spec?.strategy?.type === "Recreate" ? [keyOf(deployment)] : [];
  };

  return createController({
    name: "deployment",
    reads: ["deployments.apps", "replicasets.apps", "pods"],
    writes: [
      { resource: "deployments.apps", fields: "status" },
      { resource: "deployments.apps", fields: "metadata.annotations" },
      { resource: "replicasets.apps", fields: "metadata", of: "of Deployments" },
      { resource: "replicasets.apps", fields: "spec", of: "of Deployments" },
      { resource: "replicasets.apps", fields: "deletion", of: "of Deployments" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(setInformer, (change) => keysOfChange(change, ownersOf)),
      keysFrom(podInformer, ({ kind, object }) =>
        kind === "deleted" || isPodFinished(object) ? recreatedBy(object) : [],
      ),
    ],
    reconcile,
    clock,
    log,
  });
}
