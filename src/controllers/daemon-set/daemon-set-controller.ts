import type { DaemonSet, Node, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { controllerRevisions, daemonSets, nodes, pods } from "#api/resources.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { Change } from "#client/informer.ts";
import { FailureBackOff } from "#controllers/daemon-set/failure-back-off.ts";
import { nodeOfDaemon, withDaemonForm } from "#controllers/daemon-set/daemon-pod.ts";
import { hashOf, planDaemonSet } from "#controllers/daemon-set/plan-daemon-set.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createPod, deletePod, manyAtOnce, slowStart } from "#controllers/pods/pod-control.ts";
import { nextAvailableInMs } from "#controllers/pods/pod-state.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { forgetRevisions, keepRevision } from "#controllers/revision-history/keep-history.ts";
import {
  revisionHashLabel,
  surplusRevisions,
} from "#controllers/revision-history/revision-history.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import {
  applyClaim,
  claimCandidates,
  claimIndexes,
  controllerRefOf,
  controllerRefTo,
  planClaim,
} from "#reconcile/owners.ts";

/** Keeps one pod on every node that a DaemonSet wants. */
export function createDaemonSetController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(daemonSets);
  const nodeInformer = informers.of(nodes);
  const podInformer = informers.of(pods, claimIndexes);
  const revisionInformer = informers.of(controllerRevisions, claimIndexes);
  const control = { client, recorder: kit.recorder("daemonset-controller") };
  const backOff = new FailureBackOff();

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const set = informer.get(parseKey(key));
    if (set === undefined) return;
    const owned = await claim(set, run.signal);
    run.rest(owned.length);
    const revisions = [...revisionInformer.byIndex("controllerUid", set.metadata.uid ?? "")];
    const template = set.spec?.template ?? {};
    const collisionCount = set.status?.collisionCount ?? 0;
    const observed = { owner: set, ownerResource: daemonSets, template, collisionCount, revisions };
    const present = await keepRevision(client, observed, run.signal);
    const hash = present.metadata.labels?.[revisionHashLabel] ?? "";
    const nowMs = clock.now();
    const all = [...nodeInformer.list()];
    const plan = planDaemonSet({ set, pods: owned, nodes: all, hash, nowMs });
    const failure = await start(set, plan.create, { hash, signal: run.signal });
    await endFailed(set, plan.failed, run);
    await manyAtOnce(plan.delete, (pod) => deletePod(control, { owner: set, pod }, run.signal));
    if (!sameJson(plan.status, set.status)) {
      const options = { subresource: "status", signal: run.signal };
      await client.update(daemonSets, { ...set, status: plan.status }, options);
    }
    const live = new Set([hash, ...owned.map(hashOf)]);
    const liveNames = new Set([...live].map((part) => `${nameOf(set)}-${part}`));
    const limit = set.spec?.revisionHistoryLimit ?? 10;
    await forgetRevisions(client, surplusRevisions(revisions, liveNames, limit), run.signal);
    const waitMs = nextAvailableInMs(owned, set.spec?.minReadySeconds ?? 0, nowMs);
    if (waitMs !== undefined) run.requeue(waitMs);
    if (failure !== undefined) throw failure;
  };

  const claim = (set: DaemonSet, signal: AbortSignal): Promise<readonly Pod[]> => {
    const matcher = labelSelectorMatcher(set.spec?.selector);
    const candidates = claimCandidates(podInformer, set);
    const plan = planClaim(set, candidates, (pod) => matcher.matches(pod.metadata.labels));
    const parts = { client, owner: set, ownerResource: daemonSets, resource: pods, signal };
    return applyClaim(plan, parts);
  };

  const start = async (
    set: DaemonSet,
    nodeNames: readonly string[],
    { hash, signal }: { readonly hash: string; readonly signal: AbortSignal },
  ): Promise<unknown> => {
    const rest = [...nodeNames];
    const ownerReference = controllerRefTo(daemonSets, set);
    const template = set.spec?.template ?? {};
    const { failure } = await slowStart(nodeNames.length, () => {
      const nodeName = rest.shift() ?? "";
      const finish = (pod: Pod): Pod => withDaemonForm(pod, nodeName, hash);
      return createPod(control, { owner: set, ownerReference, template, finish }, signal);
    });
    return failure;
  };

  const endFailed = async (set: DaemonSet, failed: readonly Pod[], run: Run): Promise<void> => {
    for (const pod of failed) {
      const node = nodeOfDaemon(pod);
      const generation = set.status?.observedGeneration ?? 0;
      const waitMs = backOff.take(`${set.metadata.uid}/${generation}/${node}`, clock.now());
      if (waitMs > 0) run.requeue(waitMs);
      else {
        const reason = pod.status?.phase === "Succeeded" ? "SucceededDaemonPod" : "FailedDaemonPod";
        const what = pod.status?.phase === "Succeeded" ? "succeeded" : "failed";
        const effect = what === "failed" ? "kill" : "delete";
        const message = `Found ${what} daemon pod ${keyOf(pod)} on node ${node}, will try to ${effect} it`;
        control.recorder.record(set, {
          type: what === "failed" ? "Warning" : "Normal",
          reason,
          message,
        });
        await deletePod(control, { owner: set, pod }, run.signal);
      }
    }
  };

  const ownersOf = function* (pod: Pod): Generator<string> {
    const reference = controllerRefOf(pod);
    if (reference?.kind === "DaemonSet") yield `${namespaceOf(pod)}/${reference.name}`;
    if (reference !== undefined || !pod.metadata.labels?.[revisionHashLabel]) return;
    for (const set of informer.list(namespaceOf(pod))) yield keyOf(set);
  };

  const everySet = function* (change: Change<Node>): Generator<string> {
    if (change.kind === "modified" && isSameTo(change.old, change.object)) return;
    for (const set of informer.list()) yield keyOf(set);
  };

  return createController({
    name: "daemonset",
    reads: ["daemonsets.apps", "nodes", "pods", "controllerrevisions.apps"],
    writes: [
      { resource: "daemonsets.apps", fields: "status" },
      { resource: "controllerrevisions.apps", fields: "*", of: "of DaemonSets" },
      { resource: "pods", fields: "*", of: "new, of DaemonSets" },
      { resource: "pods", fields: "metadata.ownerReferences", of: "matched by DaemonSets" },
      { resource: "pods", fields: "deletion", of: "of DaemonSets" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(nodeInformer, everySet),
      keysFrom(podInformer, (change) => keysOfChange(change, ownersOf)),
      keysFrom(revisionInformer, () => []),
    ],
    reconcile,
    clock,
    log,
  });
}

/** Heartbeats do not matter to daemons. */
function isSameTo(old: Node, node: Node): boolean {
  return (
    sameJson(old.metadata.labels, node.metadata.labels) &&
    sameJson(old.spec?.taints, node.spec?.taints)
  );
}
