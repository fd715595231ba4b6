import type {
  ControllerRevision,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
} from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from "#api/resources.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { isAlreadyExists } from "#api/status.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createPod, deletePod } from "#controllers/pods/pod-control.ts";
import { nextAvailableInMs } from "#controllers/pods/pod-state.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { forgetRevisions, keepRevision } from "#controllers/revision-history/keep-history.ts";
import {
  revisionHashLabel,
  surplusRevisions,
  templateOf,
} from "#controllers/revision-history/revision-history.ts";
import { sameJson } from "#controllers/same-json.ts";
import {
  ordinalOf,
  ordinalsOf,
  planStatefulSet,
  revisionOfPod,
  type StatefulAction,
} from "#controllers/stateful-set/plan-stateful-set.ts";
import { isStale, planClaimOwners } from "#controllers/stateful-set/claim-owners.ts";
import { claimsFor, podName, withIdentity } from "#controllers/stateful-set/stateful-pod.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import {
  applyClaim,
  claimCandidates,
  claimIndexes,
  controllerRefOf,
  controllerRefTo,
  planClaim,
} from "#reconcile/owners.ts";

/** A pod that a node refuses at once is not made anew more often than this. */
const againMs = 1000;

/** Keeps pods with stable names and volumes, started and updated in order. */
export function createStatefulSetController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(statefulSets);
  const podInformer = informers.of(pods, claimIndexes);
  const revisionInformer = informers.of(controllerRevisions, claimIndexes);
  const volumeClaimInformer = informers.of(persistentVolumeClaims);
  const control = { client, recorder: kit.recorder("statefulset-controller") };

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const set = informer.get(parseKey(key));
    if (set === undefined) return;
    const owned = await claim(set, run.signal);
    run.rest(owned.length);
    const revisions = [...revisionInformer.byIndex("controllerUid", set.metadata.uid ?? "")];
    const update = await present(set, revisions, run.signal);
    const updateRevision = nameOf(update);
    const known = set.status?.currentRevision;
    const current = revisions.find((revision) => nameOf(revision) === known) ?? update;
    const nowMs = clock.now();
    await settleClaims(set, owned, run.signal);
    const plan = planStatefulSet({
      set,
      pods: owned,
      updateRevision,
      currentRevision: nameOf(current),
      nowMs,
    });
    for (const action of plan.actions) {
      const early = action.kind === "delete" ? failedEarlyMs(action.pod, nowMs) : 0;
      if (early > 0) {
        run.requeue(early);
        continue;
      }
      await act(set, action, { update, current, signal: run.signal });
    }
    if (!sameJson(plan.status, set.status)) {
      const options = { subresource: "status", signal: run.signal };
      await client.update(statefulSets, { ...set, status: plan.status }, options);
    }
    const live = new Set([...owned.map(revisionOfPod), nameOf(current), updateRevision]);
    const limit = set.spec?.revisionHistoryLimit ?? 10;
    await forgetRevisions(client, surplusRevisions(revisions, live, limit), run.signal);
    const waitMs = nextAvailableInMs(owned, set.spec?.minReadySeconds ?? 0, nowMs);
    if (waitMs !== undefined) run.requeue(waitMs);
  };

  const claim = (set: StatefulSet, signal: AbortSignal): Promise<readonly Pod[]> => {
    const matcher = labelSelectorMatcher(set.spec?.selector);
    const isNamed = (pod: Pod): boolean =>
      nameOf(pod).startsWith(`${nameOf(set)}-`) &&
      /^\d+$/.test(nameOf(pod).slice(nameOf(set).length + 1));
    const plan = planClaim(
      set,
      claimCandidates(podInformer, set),
      (pod) => matcher.matches(pod.metadata.labels) && isNamed(pod),
    );
    return applyClaim(plan, {
      client,
      owner: set,
      ownerResource: statefulSets,
      resource: pods,
      signal,
    });
  };

  /** Before a pod goes it is settled what goes with it. */
  const settleClaims = async (
    set: StatefulSet,
    owned: readonly Pod[],
    signal: AbortSignal,
  ): Promise<void> => {
    if (!set.spec?.volumeClaimTemplates?.length || set.metadata.deletionTimestamp) return;
    const wanted = new Set(ordinalsOf(set));
    for (const pod of owned) {
      const ordinal = ordinalOf(set, pod);
      for (const { metadata } of claimsFor(set, ordinal)) {
        const at = { name: metadata.name ?? "", namespace: namespaceOf(set) };
        const volumeClaim = volumeClaimInformer.get(at);
        if (volumeClaim === undefined) continue;
        const isSurplus = !wanted.has(ordinal);
        const ownerReferences = planClaimOwners(volumeClaim, { set, pod, isSurplus });
        if (ownerReferences === undefined) continue;
        const next = { ...volumeClaim, metadata: { ...volumeClaim.metadata, ownerReferences } };
        await client.update(persistentVolumeClaims, next, { signal });
      }
    }
  };

  const present = (
    set: StatefulSet,
    revisions: readonly ControllerRevision[],
    signal: AbortSignal,
  ): Promise<ControllerRevision> => {
    const template = set.spec?.template ?? {};
    const collisionCount = set.status?.collisionCount ?? 0;
    const observed = { owner: set, ownerResource: statefulSets, template, collisionCount };
    return keepRevision(client, { ...observed, revisions }, signal);
  };

  const act = async (
    set: StatefulSet,
    action: StatefulAction,
    { update, current, signal }: Revisions,
  ): Promise<void> => {
    if (action.kind === "delete") {
      return deletePod(control, { owner: set, pod: action.pod }, signal);
    }
    const { ordinal } = action;
    for (const volumeClaim of claimsFor(set, ordinal)) {
      const at = { name: nameOf(volumeClaim), namespace: namespaceOf(set) };
      const known = volumeClaimInformer.get(at);
      // Its deletion brings us here again.
      if (known && isStale(known, { podName: podName(set, ordinal), podUid: undefined })) return;
      await client
        .create(persistentVolumeClaims, volumeClaim, { signal })
        .catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
        });
    }
    const revision = action.revision === nameOf(update) ? update : current;
    const ownerReference = controllerRefTo(statefulSets, set);
    const wanted = {
      owner: set,
      ownerReference,
      template: templateOf(revision),
      name: podName(set, ordinal),
      finish: (pod: Pod) => withIdentity(pod, set, { ordinal, revision: nameOf(revision) }),
    };
    await createPod(control, wanted, signal);
  };

  const ownersOf = function* (pod: Pod): Generator<string> {
    const reference = controllerRefOf(pod);
    if (reference?.kind === "StatefulSet") yield `${namespaceOf(pod)}/${reference.name}`;
    if (reference !== undefined || !pod.metadata.labels?.[revisionHashLabel]) return;
    for (const set of informer.list(namespaceOf(pod))) yield keyOf(set);
  };

  const awaiting = function* (volumeClaim: PersistentVolumeClaim): Generator<string> {
    for (const set of informer.list(namespaceOf(volumeClaim))) {
      const templates = set.spec?.volumeClaimTemplates ?? [];
      const isOf = templates.some(({ metadata }) =>
        nameOf(volumeClaim).startsWith(`${metadata.name}-${nameOf(set)}-`),
      );
      if (isOf) yield keyOf(set);
    }
  };

  return createController({
    name: "statefulset",
    reads: ["statefulsets.apps", "pods", "controllerrevisions.apps", "persistentvolumeclaims"],
    writes: [
      { resource: "statefulsets.apps", fields: "status" },
      { resource: "controllerrevisions.apps", fields: "*", of: "of StatefulSets" },
      { resource: "persistentvolumeclaims", fields: "*", of: "new, of StatefulSets" },
      { resource: "persistentvolumeclaims", fields: "metadata.ownerReferences" },
      { resource: "pods", fields: "*", of: "new, of StatefulSets" },
      { resource: "pods", fields: "metadata.ownerReferences", of: "matched by StatefulSets" },
      { resource: "pods", fields: "deletion", of: "of StatefulSets" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => keysOfChange(change, ownersOf)),
      keysFrom(revisionInformer, () => []),
      keysFrom(volumeClaimInformer, ({ kind, object }) =>
        kind === "deleted" ? awaiting(object) : [],
      ),
    ],
    reconcile,
    clock,
    log,
  });
}

interface Revisions {
  readonly update: ControllerRevision;
  readonly current: ControllerRevision;
  readonly signal: AbortSignal;
}

/** How long a pod that failed stays, so that one which cannot run does not come and go without a pause. */
function failedEarlyMs({ metadata, status }: Pod, nowMs: number): number {
  if (status?.phase !== "Failed") return 0;
  return Math.min(againMs, Date.parse(metadata.creationTimestamp ?? "") + againMs - nowMs);
}
