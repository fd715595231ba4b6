import type { Node, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, parseKey } from "#api/meta.ts";
import { nodes, pods } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import type { Change } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { markDisrupted } from "#controllers/pods/disruption.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { sameJson } from "#controllers/same-json.ts";
import { planEviction } from "#controllers/taint-eviction/plan-eviction.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/** Deletes pods that do not tolerate their node's NoExecute taints, or no longer. */
export function createTaintEvictionController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const nodeInformer = informers.of(nodes);
  const podInformer = informers.of(pods, podNodeIndex);
  const recorder = kit.recorder("taint-eviction-controller");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const pod = podInformer.get(parseKey(key));
    if (!pod?.spec?.nodeName || pod.metadata.deletionTimestamp) return;
    const taints = nodeInformer.get({ name: pod.spec.nodeName })?.spec?.taints ?? [];
    const eviction = planEviction(pod, taints, clock.now());
    if (eviction.kind === "wait") return run.requeue(eviction.waitMs);
    if (eviction.kind === "evict") await evict(pod, run.signal);
  };

  const evict = async (pod: Pod, signal: AbortSignal): Promise<void> => {
    const message = `Marking for deletion Pod ${keyOf(pod)}`;
    recorder.record(pod, { type: "Normal", reason: "TaintManagerEviction", message });
    try {
      const why = {
        reason: "DeletionByTaintManager",
        message: "Taint manager: deleting due to NoExecute taint",
      };
      await markDisrupted({ client, clock, signal }, pod, why);
      await deleteThis(client, { resource: pods, object: pod }, { signal });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  };

  const podsOn = function* (change: Change<Node>): Generator<string> {
    if (change.kind === "deleted") return;
    const { object } = change;
    const same =
      change.kind === "modified" && sameJson(change.old.spec?.taints, object.spec?.taints);
    if (same || !object.spec?.taints?.some(({ effect }) => effect === "NoExecute")) return;
    for (const pod of podInformer.byIndex("node", nameOf(object))) yield keyOf(pod);
  };

  return createController({
    name: "taint-eviction",
    reads: ["nodes", "pods"],
    writes: [
      { resource: "pods", fields: "deletion", of: "that do not tolerate a taint" },
      { resource: "pods", fields: "status.conditions.DisruptionTarget", of: "to be evicted" },
    ],
    sources: [
      keysFrom(nodeInformer, podsOn),
      keysFrom(podInformer, ({ kind, object }) => {
        const node = kind !== "deleted" && object.spec?.nodeName;
        const taints = node ? nodeInformer.get({ name: node })?.spec?.taints : undefined;
        return taints?.some(({ effect }) => effect === "NoExecute") ? [keyOf(object)] : [];
      }),
    ],
    reconcile,
    clock,
    log,
  });
}
