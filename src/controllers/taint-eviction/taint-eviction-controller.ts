import type { Node, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, parseKey } from "#api/meta.ts";
import { nodes, pods } from "#api/resources.ts";
import type { Change } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { sameJson } from "#controllers/same-json.ts";
import { planEviction } from "#controllers/taint-eviction/plan-eviction.ts";
import { TimedEvictions, type EvictionWords } from "#controllers/taint-eviction/timed-evictions.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Deletes pods that do not tolerate their node's NoExecute taints, or no longer. */
export function createTaintEvictionController(kit: ControllerKit): Controller {
  const { informers, clock, log } = kit;
  const nodeInformer = informers.of(nodes);
  const podInformer = informers.of(pods, podNodeIndex);
  const evictions = new TimedEvictions(kit, words);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const pod = podInformer.get(parseKey(key));
    if (!pod?.spec?.nodeName || pod.metadata.deletionTimestamp) return evictions.forget(key);
    const taints = nodeInformer.get({ name: pod.spec.nodeName })?.spec?.taints ?? [];
    const times = { nowMs: clock.now(), sinceMs: evictions.sinceMs(pod) };
    await evictions.carryOut(pod, planEviction(pod, taints, times), run);
  };

  const podsOn = function* (change: Change<Node>): Generator<string> {
    if (change.kind === "deleted") return;
    const { object } = change;
    const old = change.kind === "modified" ? change.old : undefined;
    const same = old && sameJson(old.spec?.taints, object.spec?.taints);
    if (same || !(isEvicting(object) || isEvicting(old))) return;
    for (const pod of podInformer.byIndex("node", nameOf(object))) yield keyOf(pod);
  };

  const podKeys = ({ kind, object }: Change<Pod>): readonly string[] => {
    const key = keyOf(object);
    if (kind === "deleted") return evictions.isWaiting(key) ? [key] : [];
    const { nodeName = "" } = object.spec ?? {};
    return nodeName && isEvicting(nodeInformer.get({ name: nodeName })) ? [key] : [];
  };

  return createController({
    name: "taint-eviction",
    reads: ["nodes", "pods"],
    writes: [
      { resource: "pods", fields: "deletion", of: "that do not tolerate a taint" },
      { resource: "pods", fields: "status.conditions.DisruptionTarget", of: "to be evicted" },
    ],
    sources: [keysFrom(nodeInformer, podsOn), keysFrom(podInformer, podKeys)],
    reconcile,
    clock,
    log,
  });
}

const words: EvictionWords = {
  component: "taint-eviction-controller",
  eventReason: "TaintManagerEviction",
  deleting: (pod) => `Marking for deletion Pod ${keyOf(pod)}`,
  cancelling: (pod) => `Cancelling deletion of Pod ${keyOf(pod)}`,
  condition: {
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
  },
};

function isEvicting(node: Node | undefined): boolean {
  return node?.spec?.taints?.some(({ effect }) => effect === "NoExecute") ?? false;
}
