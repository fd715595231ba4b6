import type { Node, Pod, Taint } from "#api/generated/types.ts";
import { nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { leases, nodes, pods } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import { createInformer } from "#client/create-informer.ts";
import type { Change } from "#client/informer.ts";
import { conditionOf, planNode } from "#controllers/node-lifecycle/plan-node.ts";
import { EvictionPace, zoneOf } from "#controllers/node-lifecycle/zones.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { isPodReady } from "#controllers/pods/pod-state.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Marks nodes that fell silent, and taints nodes by their conditions. */
export function createNodeLifecycleController(kit: ControllerKit): Controller {
  const { client, informers, clock, log, signal: ended } = kit;
  const informer = informers.of(nodes);
  const podInformer = informers.of(pods, podNodeIndex);
  const leaseOptions = { namespace: "kube-node-lease", signal: ended, clock, log };
  const leaseInformer = createInformer(client, leases, leaseOptions);
  const recorder = kit.recorder("node-controller");
  const pace = new EvictionPace();
  /** What each node last said, and when this process saw it: clocks of nodes are not trusted. */
  const heard = new Map<string, { readonly said: string; readonly atMs: number }>();

  const heardAt = (node: Node): number => {
    const name = nameOf(node);
    const lease = leaseInformer.get({ name, namespace: "kube-node-lease" });
    const ready = conditionOf(node.status?.conditions ?? [], "Ready");
    const said = `${lease?.spec?.renewTime ?? ""} ${ready?.lastHeartbeatTime ?? ""}`;
    const known = heard.get(name);
    if (known?.said === said) return known.atMs;
    heard.set(name, { said, atMs: clock.now() });
    return clock.now();
  };

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const node = informer.get(parseKey(key));
    if (node === undefined) return void heard.delete(key);
    const plan = planNode({ node, heardAtMs: heardAt(node), nowMs: clock.now() });
    const taints = plan.taints && paced(node, plan.taints, run);
    if (plan.againInMs !== undefined) run.requeue(plan.againInMs);
    let current = node;
    if (plan.conditions) {
      const status = { ...node.status, conditions: plan.conditions };
      const options = { subresource: "status", signal: run.signal };
      current = await client.update(nodes, { ...node, status }, options);
    }
    if (taints && !sameJson(taints, node.spec?.taints ?? [])) {
      const { resourceVersion } = current.metadata;
      const value = {
        metadata: { resourceVersion },
        spec: { taints: taints.length > 0 ? taints : null },
      };
      await client.patch(nodes, { name: key }, { kind: "merge", value }, { signal: run.signal });
    }
    if (plan.becameUnready) tellUnready(node);
    if (!isReady(current)) await markPods(key, run.signal);
  };

  /** Taints that evict come one node after another; until then it only gets no new pods. */
  const paced = (node: Node, wanted: readonly Taint[], run: Run): readonly Taint[] => {
    const known = node.spec?.taints ?? [];
    const isNew = ({ key, effect }: Taint): boolean =>
      effect === "NoExecute" && !known.some((one) => one.key === key && one.effect === effect);
    const evicting = wanted.filter(isNew);
    if (evicting.length === 0) return wanted;
    const waitMs = pace.take(zoneOf(node), clock.now());
    if (waitMs === 0) return wanted;
    if (waitMs !== undefined) run.requeue(waitMs);
    return wanted.filter((taint) => !evicting.includes(taint));
  };

  /** When a zone's state changes, all its nodes' turn may have come. */
  const concerned = function* ({ kind, object }: Change<Node>): Generator<string> {
    yield nameOf(object);
    const now = kind === "deleted" ? undefined : { zone: zoneOf(object), isReady: isReady(object) };
    if (!pace.note(nameOf(object), now)) return;
    for (const node of informer.list()) if (!isReady(node)) yield nameOf(node);
  };

  const tellUnready = (node: Node): void => {
    const message = `Node ${nameOf(node)} status is now: NodeNotReady`;
    recorder.record(node, { type: "Normal", reason: "NodeNotReady", message });
  };

  /** Nobody answers for these pods now: services must not send to them. */
  const markPods = async (nodeName: string, signal: AbortSignal): Promise<void> => {
    // First all are noted: each write changes the index.
    const serving = Array.from(podInformer.byIndex("node", nodeName)).filter(isPodReady);
    for (const pod of serving) await markUnready(pod, signal);
  };

  const markUnready = async (pod: Pod, signal: AbortSignal): Promise<void> => {
    const lastTransitionTime = rfc3339(clock.now());
    const condition = { type: "Ready", status: "False", lastTransitionTime };
    const value = { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } };
    const at = { name: nameOf(pod), namespace: namespaceOf(pod) };
    try {
      const options = { subresource: "status", signal };
      await client.patch(pods, at, { kind: "strategic", value }, options);
      const message = "Node is not ready";
      recorder.record(pod, { type: "Warning", reason: "NodeNotReady", message });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  return createController({
    name: "node-lifecycle",
    reads: ["nodes", "leases.coordination.k8s.io", "pods"],
    writes: [
      { resource: "nodes", fields: "status.conditions", of: "that fell silent" },
      { resource: "nodes", fields: "spec.taints" },
      { resource: "pods", fields: "status.conditions.Ready", of: "on nodes not ready" },
    ],
    sources: [
      keysFrom(informer, concerned),
      // A lease renewed needs no work but to note when: silence is counted from then.
      keysFrom(leaseInformer, ({ object }) => {
        const node = informer.get({ name: nameOf(object) });
        if (node) heardAt(node);
        return [];
      }),
      keysFrom(podInformer, () => []),
    ],
    reconcile,
    clock,
    log,
  });
}

function isReady(node: Node): boolean {
  const ready = conditionOf(node.status?.conditions ?? [], "Ready");
  return ready === undefined || ready.status === "True";
}
