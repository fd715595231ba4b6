import type { Node, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import type { ClusterEvent, NodeChange } from "#scheduler/framework.ts";
import { ImageSpread, noImages } from "#scheduler/image-spread.ts";
import { NodeState, placedPod, type PlacedPod, type PodCounts } from "#scheduler/node-state.ts";
import { ClaimUse } from "#scheduler/volumes/claim-use.ts";
import { DomainCounts } from "#scheduler/topology/domain-counts.ts";

/**
 * All nodes with what is placed on them. Pods that are being bound count already (they are assumed), so the next pod
 * is scheduled without waiting for the API server.
 */
export class ClusterState {
  readonly counts = new DomainCounts();
  readonly claimUse = new ClaimUse();
  readonly images = new ImageSpread();
  readonly #podCounts: PodCounts = {
    addPod: ({ shape, claims }, nodeName) => {
      this.counts.addPod(shape, nodeName);
      this.claimUse.add(claims, 1);
    },
    removePod: ({ shape, claims }, nodeName) => {
      this.counts.removePod(shape, nodeName);
      this.claimUse.add(claims, -1);
    },
  };
  readonly #nodes = new Map<string, NodeState>();
  /** Nodes in a fixed order, for a search that goes round; made anew after nodes came or went. */
  #ordered: readonly NodeState[] | undefined;
  /** Where each pod counts. */
  readonly #places = new Map<string, string>();
  /** Pods on nodes not known (yet). */
  readonly #homeless = new Map<string, Map<string, PlacedPod>>();
  /** Where room was made for each pod. */
  readonly #nominations = new Map<string, string>();

  get nodes(): readonly NodeState[] {
    this.#ordered ??= [...this.#nodes.values()];
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
      const { images } = known;
      known.update(node);
      this.images.replace(images, known.images);
      if (changes.has("labels") || changes.has("taints")) this.counts.putNode(node);
      return changes.size === 0 ? undefined : { kind: "nodeChanged", changes };
    }
    this.counts.putNode(node);
    const state = new NodeState(node, this.#podCounts);
    for (const pod of this.#homeless.get(name)?.values() ?? []) state.add(pod);
    this.#homeless.delete(name);
    this.#nodes.set(name, state);
    this.images.replace(noImages, state.images);
    this.#ordered = undefined;
    return { kind: "nodeAdded" };
  }

  removeNode(name: string): void {
    const state = this.#nodes.get(name);
    if (state === undefined) return;
    this.#nodes.delete(name);
    this.images.replace(state.images, noImages);
    this.#ordered = undefined;
    // Its pods are deleted in their own time.
    if (state.pods.size > 0) this.#homeless.set(name, new Map(state.pods));
    for (const uid of state.pods.keys()) state.remove(uid);
    this.counts.removeNode(name);
  }

  /** Room was made for a pod; it holds until the pod is placed, goes, or is nominated elsewhere. */
  nominate(pod: PlacedPod, nodeName: string): void {
    this.forgetNomination(pod.uid);
    const state = this.#nodes.get(nodeName);
    if (state === undefined) return;
    state.nominated.set(pod.uid, pod);
    this.#nominations.set(pod.uid, nodeName);
  }

  forgetNomination(uid: string): void {
    const nodeName = this.#nominations.get(uid);
    if (nodeName === undefined) return;
    this.#nominations.delete(uid);
    this.#nodes.get(nodeName)?.nominated.delete(uid);
  }

  /**
   * A pod that the API server shows on a node; an assumed one is thereby confirmed.
   */
  putPod(pod: Pod): PlacedPod {
    const uid = uidOf(pod);
    const nodeName = pod.spec?.nodeName ?? "";
    // What a pod asks for changes only by a resize; its place never.
    if (this.#places.get(uid) !== nodeName) this.removePod(uid);
    const placed = placedPod(pod);
    this.place(placed, nodeName);
    return placed;
  }

  place(pod: PlacedPod, nodeName: string): void {
    this.forgetNomination(pod.uid);
    this.#places.set(pod.uid, nodeName);
    const state = this.#nodes.get(nodeName);
    if (state) return state.add(pod);
    const waiting = this.#homeless.get(nodeName) ?? new Map<string, PlacedPod>();
    waiting.set(pod.uid, pod);
    this.#homeless.set(nodeName, waiting);
  }

  /** The pod as it counts somewhere. */
  placed(uid: string): PlacedPod | undefined {
    const nodeName = this.#places.get(uid) ?? "";
    return this.#nodes.get(nodeName)?.pods.get(uid) ?? this.#homeless.get(nodeName)?.get(uid);
  }

  /** Returns the pod when it counted somewhere. */
  removePod(uid: string): PlacedPod | undefined {
    this.forgetNomination(uid);
    const nodeName = this.#places.get(uid);
    if (nodeName === undefined) return undefined;
    const placed = this.placed(uid);
    this.#places.delete(uid);
    this.#nodes.get(nodeName)?.remove(uid);
    const waiting = this.#homeless.get(nodeName);
    waiting?.delete(uid);
    if (waiting?.size === 0) this.#homeless.delete(nodeName);
    return placed;
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
