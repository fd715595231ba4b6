import type { Node, Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { parseQuantity, quantityValue } from "#api/quantity.ts";
import {
  addAmounts,
  amountsOf,
  noAmounts,
  podAmounts,
  type Amounts,
  type PodAmounts,
} from "#scheduler/amounts.ts";
import { claimsOfPod } from "#reconcile/claims-of-pod.ts";
import { type HostPort, hostPortsOf } from "#reconcile/host-ports.ts";
import { disksOf, type Disk } from "#scheduler/volumes/disks.ts";
import { podShapeOf, type PodShape } from "#scheduler/topology/pod-shape.ts";

/** What the scheduler keeps of a pod on a node: numbers, not the object. */
export interface PlacedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly priority: number;
  readonly startedAt: string;
  readonly amounts: PodAmounts;
  readonly ports: readonly HostPort[];
  readonly shape: PodShape;
  /** The claims it uses, by `namespace/name`. */
  readonly claims: readonly string[];
  readonly disks: readonly Disk[];
}

/** Told of every pod that comes to a node or leaves it. */
export interface PodCounts {
  addPod(pod: PlacedPod, nodeName: string): void;
  removePod(pod: PlacedPod, nodeName: string): void;
}

/** A node and what is placed on it, kept up as pods come and go: scheduling a pod parses nothing of other pods. */
export class NodeState {
  readonly name: string;
  node: Node;
  allocatable: Amounts;
  podsMax: number;
  readonly requested: Amounts = noAmounts();
  readonly scored = { milliCpu: 0, memoryBytes: 0 };
  readonly pods = new Map<string, PlacedPod>();
  readonly ports: HostPort[] = [];
  /**
   * Pods for which room was made here. They count for pods of no higher priority, as if they were placed already.
   */
  readonly nominated = new Map<string, PlacedPod>();
  readonly #counts: PodCounts;
  /** Bytes of each image the node has, by name. */
  images: ReadonlyMap<string, number>;

  constructor(node: Node, counts: PodCounts) {
    this.#counts = counts;
    this.name = nameOf(node);
    this.node = node;
    this.allocatable = amountsOf(node.status?.allocatable);
    this.podsMax = podsMaxOf(node);
    this.images = imagesOf(node);
  }

  update(node: Node): void {
    const before = this.node.status;
    this.node = node;
    if (node.status?.allocatable !== before?.allocatable) {
      this.allocatable = amountsOf(node.status?.allocatable);
      this.podsMax = podsMaxOf(node);
    }
    if (node.status?.images !== before?.images) this.images = imagesOf(node);
  }

  add(pod: PlacedPod): void {
    if (this.pods.has(pod.uid)) this.remove(pod.uid);
    this.pods.set(pod.uid, pod);
    this.#count(pod, 1);
    this.ports.push(...pod.ports);
    this.#counts.addPod(pod, this.name);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.#count(pod, -1);
    for (const port of pod.ports) this.ports.splice(this.ports.indexOf(port), 1);
    this.#counts.removePod(pod, this.name);
  }

  #count({ amounts }: PlacedPod, by: 1 | -1): void {
    addAmounts(this.requested, amounts.requests, by);
    this.scored.milliCpu += by * amounts.scored.milliCpu;
    this.scored.memoryBytes += by * amounts.scored.memoryBytes;
  }
}

export function placedPod(pod: Pod): PlacedPod {
  return {
    uid: uidOf(pod),
    namespace: pod.metadata.namespace ?? "",
    name: nameOf(pod),
    priority: pod.spec?.priority ?? 0,
    startedAt: pod.status?.startTime ?? pod.metadata.creationTimestamp ?? "",
    amounts: podAmounts(pod),
    ports: hostPortsOf(pod),
    shape: podShapeOf(pod),
    claims: claimKeysOf(pod),
    disks: disksOf(pod),
  };
}

const noClaims: readonly string[] = [];

function claimKeysOf(pod: Pod): readonly string[] {
  const names = claimsOfPod(pod);
  return names.length === 0 ? noClaims : names.map((name) => `${namespaceOf(pod)}/${name}`);
}

function podsMaxOf(node: Node): number {
  return Number(quantityValue(parseQuantity(node.status?.allocatable?.["pods"] ?? "0")));
}

function imagesOf(node: Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const { names, sizeBytes } of node.status?.images ?? []) {
    for (const name of names ?? []) images.set(name, sizeBytes ?? 0);
  }
  return images;
}
