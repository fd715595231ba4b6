import type { Clock } from "#base/clock.ts";
import type { ClusterEvent, PendingPod, QueuedOrder } from "#scheduler/framework.ts";
import { Heap } from "#scheduler/heap.ts";

/** A pod in the queue and what came of the attempts to place it. */
export interface QueuedPod extends QueuedOrder {
  readonly pending: PendingPod;
  readonly sinceMs: number;
  attempts: number;
  /** The plugins that rejected it last. */
  rejectedBy: ReadonlySet<string>;
}

export interface QueueParts {
  readonly clock: Clock;
  readonly before: (one: QueuedOrder, other: QueuedOrder) => boolean;
  /** The plugin that does not let the pod be tried yet. */
  readonly heldBackBy?: (pending: PendingPod) => string | undefined;
  /** Whether one of the plugins that rejected the pod says that the event may help. */
  readonly helps: (event: ClusterEvent, queued: QueuedPod) => boolean;
}

/** Upstream's numbers. */
const backoffMinMs = 1_000;
const backoffMaxMs = 10_000;
const unschedulableMaxMs = 300_000;

type Place = "active" | "backoff" | "unschedulable" | "taken";

interface Entry {
  queued: QueuedPod;
  place: Place;
  cancel?: () => void;
  notBeforeMs: number;
}

/**
 * Pods waiting for a node: those to be tried now, those that failed a moment ago (1 s, doubled to 10 s), and those
 * that no change of the cluster has given a chance since. The last are tried again after five minutes all the same.
 */
export class SchedulingQueue {
  readonly #parts: QueueParts;
  readonly #entries = new Map<string, Entry>();
  readonly #active: Heap<Entry>;
  /** Those that wait for an event. */
  readonly #unschedulable = new Set<Entry>();
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#active = new Heap((one, other) => parts.before(one.queued, other.queued));
  }

  /** A pod that is new or has changed; a change gives it another chance. */
  put(pending: PendingPod): void {
    const known = this.#entries.get(pending.placed.uid);
    if (known === undefined) {
      const sinceMs = this.#parts.clock.now();
      const queued = { pending, sinceMs, attempts: 0, rejectedBy: new Set<string>() };
      const entry: Entry = { queued, place: "active", notBeforeMs: 0 };
      this.#entries.set(pending.placed.uid, entry);
      return this.#activate(entry);
    }
    const before = known.queued;
    const { pod } = before.pending;
    known.queued = { ...before, pending };
    const sameSpec = JSON.stringify(pod.spec) === JSON.stringify(pending.pod.spec);
    const sameLabels =
      JSON.stringify(pod.metadata.labels) === JSON.stringify(pending.pod.metadata.labels);
    const sameClaims =
      JSON.stringify(pod.status?.resourceClaimStatuses) ===
      JSON.stringify(pending.pod.status?.resourceClaimStatuses);
    const isSame = sameSpec && sameLabels && sameClaims;
    if (known.place === "unschedulable" && !isSame) this.#retry(known);
  }

  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    entry?.cancel?.();
    if (entry) this.#unschedulable.delete(entry);
    this.#entries.delete(uid);
  }

  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The next pod to try; undefined once closed. It stays known until it is removed or given back. */
  async take(): Promise<QueuedPod | undefined> {
    while (!this.#closed) {
      const taken = this.takeNow();
      if (taken) return taken;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return undefined;
  }

  takeNow(): QueuedPod | undefined {
    for (let entry = this.#active.pop(); entry; entry = this.#active.pop()) {
      const uid = entry.queued.pending.placed.uid;
      if (this.#entries.get(uid) !== entry || entry.place !== "active") continue;
      entry.place = "taken";
      entry.queued.attempts++;
      return entry.queued;
    }
    return undefined;
  }

  /** Gives back a pod that found no place. Without plugins that rejected it (an error), it is tried after the back-off. */
  giveBack(uid: string, rejectedBy: ReadonlySet<string>): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.queued.rejectedBy = rejectedBy;
    const { clock } = this.#parts;
    const backoffMs = Math.min(backoffMinMs * 2 ** (entry.queued.attempts - 1), backoffMaxMs);
    entry.notBeforeMs = clock.now() + backoffMs;
    if (rejectedBy.size === 0) return this.#retry(entry);
    entry.place = "unschedulable";
    this.#unschedulable.add(entry);
    entry.cancel = clock.after(unschedulableMaxMs, () => this.#retry(entry));
  }

  /** Something happened that may help those that wait. */
  notify(event: ClusterEvent): void {
    for (const entry of this.#unschedulable) {
      if (!this.#parts.helps(event, entry.queued)) continue;
      const heldBackBy = this.#parts.heldBackBy?.(entry.queued.pending);
      if (heldBackBy === undefined) this.#retry(entry);
      else entry.queued.rejectedBy = new Set([heldBackBy]);
    }
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.cancel?.();
    this.#entries.clear();
    this.#unschedulable.clear();
    this.#wake?.();
  }

  #retry(entry: Entry): void {
    this.#unschedulable.delete(entry);
    entry.cancel?.();
    const waitMs = entry.notBeforeMs - this.#parts.clock.now();
    if (waitMs <= 0) return this.#activate(entry);
    entry.place = "backoff";
    entry.cancel = this.#parts.clock.after(waitMs, () => this.#activate(entry));
  }

  #activate(entry: Entry): void {
    delete entry.cancel;
    const heldBackBy = this.#parts.heldBackBy?.(entry.queued.pending);
    if (heldBackBy !== undefined) return this.#holdBack(entry, heldBackBy);
    entry.place = "active";
    this.#active.push(entry);
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #holdBack(entry: Entry, by: string): void {
    entry.queued.rejectedBy = new Set([by]);
    entry.place = "unschedulable";
    this.#unschedulable.add(entry);
  }
}
