import type { Pod, ReplicaSet, ReplicaSetStatus } from "#api/generated/types.ts";
import { keyOf, namespaceOf, parseKey, uidOf, type KubeObject } from "#api/meta.ts";
import { pods, replicaSets } from "#api/resources.ts";
import type { LabelMatcher } from "#api/selector/label-requirement.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { Resource } from "#api/resource.ts";
import type { Change } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import {
  createPod,
  deletePod,
  isNamespaceTerminating,
  slowStart,
} from "#controllers/pods/pod-control.ts";
import { isPodActive } from "#controllers/pods/pod-state.ts";
import { tallyPods } from "#controllers/pods/pod-tally.ts";
import {
  nextAvailableIn,
  planReplicas,
  planReplicaSetStatus,
  sum,
  type ReplicaAction,
} from "#controllers/replica-set/plan-replica-set.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import {
  applyClaim,
  claimIndexes,
  controllerRefOf,
  controllerRefTo,
  planClaim,
} from "#reconcile/owners.ts";

/** A kind that keeps as many pods of a template running as it wants, and how it reads as a ReplicaSet. */
export interface ReplicaKind<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Of the controller, in the ownership table and in events. */
  readonly name: string;
  /** `replicasets.apps` */
  readonly writes: string;
  readonly asReplicaSet: (object: T) => ReplicaSet;
  /** What of a ReplicaSet's status the kind has. */
  readonly statusOf: (status: ReplicaSetStatus) => Partial<ReplicaSetStatus>;
}

/** Keeps as many pods of a template running as a ReplicaSet wants. */
export function createReplicaSetController(kit: ControllerKit): Controller {
  return createReplicaController(kit, {
    resource: replicaSets,
    name: "replicaset",
    writes: "replicasets.apps",
    asReplicaSet: (replicaSet) => replicaSet,
    statusOf: (status) => status,
  });
}

export function createReplicaController<T extends KubeObject>(
  kit: ControllerKit,
  { resource: ownerResource, name, writes, asReplicaSet, statusOf }: ReplicaKind<T>,
): Controller {
  const { client, informers, clock, log } = kit;
  const podInformer = informers.of(pods, claimIndexes);
  const setInformer = informers.of(ownerResource, claimIndexes);
  const control = { client, recorder: kit.recorder(`${name}-controller`) };

  const groupsOf = tallyPods(podInformer, ownerResource.kind);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const object = setInformer.get(parseKey(key));
    if (object === undefined) return;
    const replicaSet = asReplicaSet(object);
    await claim(replicaSet, run.signal);
    const groups = groupsOf(uidOf(replicaSet));
    const activeCount = sum(groups, (group) => group.activeCount);
    run.rest(sum(groups, (group) => group.keys.size));
    const action = planReplicas({
      replicaSet,
      activeCount,
      active: () =>
        [...podInformer.byIndex("controllerUid", uidOf(replicaSet))].filter(isPodActive),
      related: () => relatedPods(replicaSet),
      nowMs: clock.now(),
    });
    const failure = await carryOut(replicaSet, action, run.signal);
    await writeStatus(object, { action, failure }, run);
    if (failure !== undefined) throw failure;
  };

  /** Adopts and releases, so that what it controls is what it selects. */
  const claim = async (replicaSet: ReplicaSet, signal: AbortSignal): Promise<void> => {
    const matcher = labelSelectorMatcher(replicaSet.spec?.selector);
    const plan = planClaim(replicaSet, candidates(replicaSet, matcher), (pod) =>
      matcher.matches(pod.metadata.labels),
    );
    await applyClaim(
      { ...plan, adopt: plan.adopt.filter(isPodActive) },
      { client, owner: replicaSet, ownerResource, resource: pods, signal },
    );
  };

  /** Orphans, and what it controls without selecting it. */
  const candidates = function* (replicaSet: ReplicaSet, matcher: LabelMatcher): Generator<Pod> {
    yield* podInformer.byIndex("orphans", namespaceOf(replicaSet));
    for (const { labels, keys } of groupsOf(uidOf(replicaSet))) {
      if (matcher.matches(labels)) continue;
      for (const key of keys) {
        const pod = podInformer.get(parseKey(key));
        if (pod) yield pod;
      }
    }
  };

  const relatedPods = function* (replicaSet: ReplicaSet): Generator<Pod> {
    const parent = controllerRefOf(replicaSet)?.uid;
    const family =
      parent === undefined ? [replicaSet] : setInformer.byIndex("controllerUid", parent);
    for (const { metadata } of family) {
      for (const pod of podInformer.byIndex("controllerUid", metadata.uid ?? "")) {
        if (isPodActive(pod)) yield pod;
      }
    }
  };

  const carryOut = async (
    replicaSet: ReplicaSet,
    action: ReplicaAction,
    signal: AbortSignal,
  ): Promise<unknown> => {
    if (action.kind === "create") {
      const template = replicaSet.spec?.template ?? {};
      const ownerReference = controllerRefTo(ownerResource, replicaSet);
      const wanted = { owner: replicaSet, ownerReference, template };
      const { failure } = await slowStart(action.count, () => createPod(control, wanted, signal));
      return isNamespaceTerminating(failure) ? undefined : failure;
    }
    if (action.kind === "nothing") return undefined;
    const results = await Promise.allSettled(
      action.pods.map((pod) => deletePod(control, { owner: replicaSet, pod }, signal)),
    );
    return results.find((result) => result.status === "rejected")?.reason;
  };

  const writeStatus = async (object: T, pass: Pass, run: Run): Promise<void> => {
    const nowMs = clock.now();
    const { action, failure } = pass;
    const replicaSet = asReplicaSet(object);
    const groups = groupsOf(uidOf(replicaSet));
    const planned = planReplicaSetStatus({
      replicaSet,
      groups,
      ...(failure !== undefined && {
        failure: { action: action.kind, message: failureText(failure) },
      }),
      nowMs,
    });
    const waitMs = nextAvailableIn(groups, replicaSet.spec?.minReadySeconds ?? 0, nowMs);
    if (waitMs !== undefined) run.requeue(waitMs);
    const status = statusOf(planned);
    if (sameJson(status, replicaSet.status)) return;
    const options = { subresource: "status", signal: run.signal };
    await client.update(ownerResource, { ...object, status }, options);
  };

  /** A pod concerns its controller, or, while it has none, every ReplicaSet that would take it. */
  const ownersOf = function* (pod: Pod): Generator<string> {
    const reference = controllerRefOf(pod);
    if (reference?.kind === ownerResource.kind) yield `${namespaceOf(pod)}/${reference.name}`;
    if (reference !== undefined) return;
    for (const object of setInformer.list(namespaceOf(pod))) {
      const matcher = labelSelectorMatcher(asReplicaSet(object).spec?.selector);
      if (matcher.matches(pod.metadata.labels)) yield keyOf(object);
    }
  };

  const { kind } = ownerResource;
  return createController({
    name,
    reads: ["pods", writes],
    writes: [
      { resource: writes, fields: "status" },
      { resource: "pods", fields: "metadata.ownerReferences", of: `matched by ${kind}s` },
      { resource: "pods", fields: "*", of: `new, of ${kind}s` },
      { resource: "pods", fields: "deletion", of: `of ${kind}s` },
    ],
    sources: [
      keysFrom(setInformer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => keysOfChange(change, ownersOf)),
    ],
    reconcile,
    clock,
    log,
  });
}

/** The keys that both the object as it is and as it was concern. */
export function keysOfChange<T extends KubeObject>(
  change: Change<T>,
  keysOf: (object: T) => Iterable<string>,
): Iterable<string> {
  if (change.kind !== "modified") return keysOf(change.object);
  return new Set([...keysOf(change.object), ...keysOf(change.old)]);
}

interface Pass {
  readonly action: ReplicaAction;
  readonly failure: unknown;
}

function failureText(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
