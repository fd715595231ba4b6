import type { Pod } from "#api/generated/types.ts";
import type { NodeState, PlacedPod } from "#scheduler/node-state.ts";

/** A pod that waits for a node, with what is worked out once for it. */
export interface PendingPod {
  readonly pod: Pod;
  readonly placed: PlacedPod;
}

/** What plugins remember during the scheduling of one pod: a plugin's own value under its name. */
export type CycleState = Map<string, unknown>;

/** Why a node (or the cluster) cannot take a pod: upstream's texts. */
export interface Rejection {
  readonly reasons: readonly string[];
  /** True when removing other pods would not help. */
  readonly unresolvable: boolean;
}

/** Something that happened in the cluster and may make room for a pod that found none. */
export type ClusterEvent =
  | { readonly kind: "nodeAdded" }
  | { readonly kind: "nodeChanged"; readonly changes: ReadonlySet<NodeChange> }
  | { readonly kind: "namespaceChanged" }
  /** A claim, by `namespace/name`, is new or has changed. */
  | { readonly kind: "claimChanged"; readonly key: string }
  /** Something about volumes is new or has changed; an attachment is gone. */
  | { readonly kind: "storageChanged"; readonly what: StorageKind; readonly name: string }
  /** A resource claim, by `namespace/name`, is new, has another status, or is gone and its devices with it. */
  | {
      readonly kind: "deviceClaimChanged";
      readonly key: string;
      /** Its devices can be another's now. */
      readonly isFreed: boolean;
    }
  /** Drivers publish other devices, or a class of devices is new, other or gone. */
  | { readonly kind: "devicesChanged" }
  /** A pod is on a node, or has changed there. */
  | { readonly kind: "podPlaced"; readonly pod: PlacedPod }
  /** A pod on a node requests less than before. */
  | { readonly kind: "podShrank"; readonly pod: PlacedPod }
  | { readonly kind: "podGone"; readonly pod: PlacedPod };

export type StorageKind = "volume" | "class" | "csiNode" | "csiDriver" | "capacity" | "attachment";

export type NodeChange = "labels" | "taints" | "allocatable" | "unschedulable";

/** A step in finding a node for a pod. Every function is optional; they are called in upstream's order. */
export interface Plugin {
  readonly name: string;
  /** Which pod goes first; one plugin has this. */
  readonly queueSort?: (one: QueuedOrder, other: QueuedOrder) => boolean;
  /**
   * Whether the pod may be tried at all; where not, it waits for an event that helps, and nobody is told. Default: yes.
   */
  readonly preEnqueue?: (pod: PendingPod) => boolean;
  /** Once a pod. `nodes` narrows the search to those names; "skip": the plugin has nothing to filter for this pod. */
  readonly preFilter?: (
    pod: PendingPod,
    state: CycleState,
  ) => { readonly nodes?: ReadonlySet<string> } | Rejection | "skip" | undefined;
  readonly filter?: (pod: PendingPod, node: NodeState, state: CycleState) => Rejection | undefined;
  /** Once a pod, with the nodes that are left, before they are scored; "skip": all score the same. */
  readonly preScore?: (
    pod: PendingPod,
    nodes: readonly NodeState[],
    state: CycleState,
  ) => "skip" | undefined;
  /** After no node fitted, one plugin after the other: may make room, and says what it found. */
  readonly postFilter?: (failed: FailedCycle) => Promise<string | undefined>;
  /** From 0 to 100, or any number where `normalize` brings it there. */
  readonly score?: (pod: PendingPod, node: NodeState, state: CycleState) => number;
  readonly normalize?: (scores: number[]) => void;
  readonly weight?: number;
  /** A node is chosen; `unreserve` takes it back when a later step fails. */
  readonly reserve?: (
    pod: PendingPod,
    nodeName: string,
    state: CycleState,
  ) => Rejection | undefined;
  readonly unreserve?: (pod: PendingPod, nodeName: string) => void;
  /** May wait before the pod is bound; undefined where it need not. */
  readonly permit?: (
    pod: PendingPod,
    nodeName: string,
  ) => Promise<Rejection | undefined> | undefined;
  /**
   * What must be done before the pod is bound, which may take long; undefined where nothing must. Throws when it fails.
   */
  readonly preBind?: (
    pod: PendingPod,
    at: { readonly nodeName: string; readonly state: CycleState; readonly signal: AbortSignal },
  ) => Promise<void> | undefined;
  /** Tells the API server. One plugin has this. */
  readonly bind?: (pod: PendingPod, nodeName: string, signal: AbortSignal) => Promise<void>;
  /** Whether a pod this plugin rejected may fit after the event. Default: no. */
  readonly helpedBy?: (event: ClusterEvent, pod: PendingPod) => boolean;
}

export interface QueuedOrder {
  readonly pending: PendingPod;
  readonly sinceMs: number;
}

export interface FailedCycle {
  readonly pod: PendingPod;
  readonly state: CycleState;
  readonly nodes: readonly NodeState[];
  /** By node name. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  readonly fits: (node: NodeState) => boolean;
  readonly signal: AbortSignal;
}

export const scoreMax = 100;

/** Brings scores to 0…100 by the largest; `reverse` makes small ones good. */
export function normalizeByMax(scores: number[], reverse = false): void {
  const max = Math.max(0, ...scores);
  for (const [index, score] of scores.entries()) {
    const share = max === 0 ? 0 : Math.floor((score * scoreMax) / max);
    scores[index] = reverse ? scoreMax - share : share;
  }
}

export function isRejection(value: object | undefined): value is Rejection {
  return value !== undefined && "reasons" in value;
}
