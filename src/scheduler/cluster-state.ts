import type { Node, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import type { ClusterEvent, NodeChange } from "#scheduler/framework.ts";
import { NodeState, placedPod, type PlacedPod } from "#scheduler/node-state.ts";

/**
 * All nodes with what is placed on them. Pods that are being bound count already (they are assumed), so the next pod
 * is scheduled without waiting for the API server.
 */
export class ClusterState {
  readonly #nodes = new Map<string, NodeState>();
  /** Nodes in a fixed order, for a search that goes round. */
  #ordered: NodeState[] = [];
  /** Where each pod counts. */
  readonly #places = new Map<string, string>();
  /** Pods on nodes not known (yet). */
  readonly #homeless = new Map<string, Map<string, PlacedPod>>();

  get nodes(): readonly NodeState[] {
    return this.#ordered;
  }

  node(name: string): NodeState | undefined {
    return this.#nodes.get(name);
  }

  /** Says what the change may help with; undefined when with nothing. */
  putNode(node: Node): ClusterEvent | undefined {
    const name = node.metadata.name ?? "";
    const known = this.#nodes.get(name);
    if (known) {
      const changes = changesBetween(known.node, node);
      known.update(node);
      return changes.size === 0 ? undefined : { kind: "nodeChanged", changes };
    }
    const state = new NodeState(node);
    for (const pod of this.#homeless.get(name)?.values() ?? []) state.add(pod);
    this.#homeless.delete(name);
    this.#nodes.set(name, state);
    this.#ordered = [...this.#ordered, state];
    return { kind: "nodeAdded" };
  }

  removeNode(name: string): void {
    const state = this.#nodes.get(name);
    if (state === undefined) return;
    this.#nodes.delete(name);
    this.#ordered = this.#ordered.filter((other) => other !== state);
    // Its pods are deleted in their own time.
    if (state.pods.size > 0) this.#homeless.set(name, new Map(state.pods));
  }

  /** A pod that the API server shows on a node; an assumed one is thereby confirmed. */
  putPod(pod: Pod): void {
    const uid = uidOf(pod);
    const nodeName = pod.spec?.nodeName ?? "";
    // What a pod asks for changes only by a resize; its place never.
    if (this.#places.get(uid) !== nodeName) this.removePod(uid);
    this.place(placedPod(pod), nodeName);
  }

  place(pod: PlacedPod, nodeName: string): void {
    this.#places.set(pod.uid, nodeName);
    const state = this.#nodes.get(nodeName);
    if (state) return state.add(pod);
    const waiting = this.#homeless.get(nodeName) ?? new Map<string, PlacedPod>();
    waiting.set(pod.uid, pod);
    this.#homeless.set(nodeName, waiting);
  }

  /** True when the pod counted somewhere. */
  removePod(uid: string): boolean {
    const nodeName = this.#places.get(uid);
    if (nodeName === undefined) return false;
    this.#places.delete(uid);
    this.#nodes.get(nodeName)?.remove(uid);
    const waiting = this.#homeless.get(nodeName);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#homeless.delete(nodeName);
    return true;
  }
}

function changesBetween(old: Node, node: Node): ReadonlySet<NodeChange> {
  const changes = new Set<NodeChange>();
  const differ = (one: unknown, other: unknown): boolean =>
    one !== other && JSON.stringify(one) !== JSON.stringify(other);
  if (differ(old.metadata.labels, node.metadata.labels)) changes.add("labels");
  if (differ(old.spec?.taints, node.spec?.taints)) changes.add("taints");
  if (differ(old.status?.allocatable, node.status?.allocatable)) changes.add("allocatable");
  if ((old.spec?.unschedulable ?? false) !== (node.spec?.unschedulable ?? false)) {
    changes.add("unschedulable");
  }
  return changes;
}
