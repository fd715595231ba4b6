import type { ControllerRevision, Pod, StatefulSet } from "#api/generated/types.ts";
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
  planStatefulSet,
  revisionOfPod,
  type StatefulAction,
} from "#controllers/stateful-set/plan-stateful-set.ts";
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

/** Keeps pods with stable names and volumes, started and updated in order. */
export function createStatefulSetController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(statefulSets);
  const podInformer = informers.of(pods, claimIndexes);
  const revisionInformer = informers.of(controllerRevisions, claimIndexes);
  const control = { client, recorder: kit.recorder("statefulset-controller") };

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const set = informer.get(parseKey(key));
    if (set === undefined) return;
    const owned = await claim(set, run.signal);
    const revisions = [...revisionInformer.byIndex("controllerUid", set.metadata.uid ?? "")];
    const update = await present(set, revisions, run.signal);
    const updateRevision = nameOf(update);
    const known = set.status?.currentRevision;
    const current = revisions.find((revision) => nameOf(revision) === known) ?? update;
    const nowMs = clock.now();
    const plan = planStatefulSet({
      set,
      pods: owned,
      updateRevision,
      currentRevision: nameOf(current),
      nowMs,
    });
    for (const action of plan.actions) {
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

  return createController({
    name: "statefulset",
    reads: ["statefulsets.apps", "pods", "controllerrevisions.apps"],
    writes: [
      { resource: "statefulsets.apps", fields: "status" },
      { resource: "controllerrevisions.apps", fields: "*", of: "of StatefulSets" },
      { resource: "persistentvolumeclaims", fields: "*", of: "new, of StatefulSets" },
      { resource: "pods", fields: "*", of: "new, of StatefulSets" },
      { resource: "pods", fields: "metadata.ownerReferences", of: "matched by StatefulSets" },
      { resource: "pods", fields: "deletion", of: "of StatefulSets" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => keysOfChange(change, ownersOf)),
      keysFrom(revisionInformer, () => []),
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
