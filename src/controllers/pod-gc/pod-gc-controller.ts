import type { Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, parseKey } from "#api/meta.ts";
import { nodes, pods } from "#api/resources.ts";
import { ifFound } from "#api/status.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { markDisrupted } from "#controllers/pods/disruption.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/** A node may come back: its pods are given up only after this. */
const quarantineMs = 40_000;
/** Pods that have ended are kept for their logs and states up to this number, as upstream. */
export const finishedMax = 12_500;
const overflowKey = "overflow";
const overflowDelayMs = 20_000;

/** Deletes pods that nobody else will: on nodes that are gone, never placed and deleted, or ended long ago. */
export function createPodGcController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const podInformer = informers.of(pods, podNodeIndex);
  const nodeInformer = informers.of(nodes);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    if (key === overflowKey) return deleteOverflow(run.signal);
    const pod = podInformer.get(parseKey(key));
    if (pod === undefined) return;
    if (!pod.spec?.nodeName) {
      if (pod.metadata.deletionTimestamp) await forceDelete(pod, run.signal);
      return;
    }
    if (await nodeExists(pod.spec.nodeName, run.signal)) return;
    if (!isPodFinished(pod)) {
      const why = { reason: "DeletionByPodGC", message: "PodGC: node no longer exists" };
      await markDisrupted({ client, clock, signal: run.signal }, pod, { ...why, phase: "Failed" });
    }
    await forceDelete(pod, run.signal);
  };

  const nodeExists = async (name: string, signal: AbortSignal): Promise<boolean> => {
    if (nodeInformer.get({ name })) return true;
    return (await ifFound(client.get(nodes, { name }, { signal }))) !== undefined;
  };

  const deleteOverflow = async (signal: AbortSignal): Promise<void> => {
    const finished = [...podInformer.list()].filter(isPodFinished);
    for (const pod of overflowOf(finished)) await forceDelete(pod, signal);
  };

  const forceDelete = async (pod: Pod, signal: AbortSignal): Promise<void> => {
    const options = { gracePeriodSeconds: 0, signal };
    await deleteThis(client, { resource: pods, object: pod }, options);
  };

  return createController({
    name: "pod-garbage-collector",
    reads: ["pods", "nodes"],
    writes: [
      { resource: "pods", fields: "deletion", of: "given up" },
      { resource: "pods", fields: "status.phase", of: "on nodes that are gone" },
    ],
    sources: [
      keysFrom(nodeInformer, ({ kind, object }, queue) => {
        if (kind !== "deleted") return [];
        for (const pod of podInformer.byIndex("node", nameOf(object))) {
          queue.addAfter(keyOf(pod), quarantineMs);
        }
        return [];
      }),
      keysFrom(podInformer, ({ kind, object }, queue) => {
        if (kind === "deleted") return [];
        const name = object.spec?.nodeName;
        if (!name) return object.metadata.deletionTimestamp ? [keyOf(object)] : [];
        if (!nodeInformer.get({ name })) queue.addAfter(keyOf(object), quarantineMs);
        if (isPodFinished(object)) queue.addAfter(overflowKey, overflowDelayMs);
        return [];
      }),
    ],
    reconcile,
    clock,
    log,
  });
}

/** The oldest of those that are too many. */
export function overflowOf(finished: readonly Pod[], max = finishedMax): readonly Pod[] {
  const created = (pod: Pod): string => pod.metadata.creationTimestamp ?? "";
  const sorted = finished.toSorted((one, other) => (created(one) < created(other) ? -1 : 1));
  return sorted.slice(0, Math.max(0, finished.length - max));
}
