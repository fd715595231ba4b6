import type { Pod } from "#api/generated/types.ts";
import { keyOf, uidOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { markDisrupted } from "#controllers/pods/disruption.ts";
import type { Eviction } from "#controllers/taint-eviction/plan-eviction.ts";
import type { Run } from "#reconcile/controller.ts";
import { deleteThis, isGone } from "#reconcile/delete-this.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

/** What is said of a pod that goes, or that may stay after all. */
export interface EvictionWords {
  /** Whose events these are. */
  readonly component: string;
  readonly eventReason: string;
  readonly deleting: (pod: Pod) => string;
  readonly cancelling: (pod: Pod) => string;
  /** Of the condition `DisruptionTarget`. */
  readonly condition: { readonly reason: string; readonly message: string };
}

/** Carries out what is planned for pods on account of taints, and remembers which of them wait for their end. */
export class TimedEvictions {
  readonly #kit: ControllerKit;
  readonly #words: EvictionWords;
  readonly #recorder: EventRecorder;
  /** By the pod's key; a pod leaves when it goes or may stay. */
  readonly #waiting = new Map<string, { readonly uid: string; readonly sinceMs: number }>();

  constructor(kit: ControllerKit, words: EvictionWords) {
    this.#kit = kit;
    this.#words = words;
    this.#recorder = kit.recorder(words.component);
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Since when the pod waits; now, if it does not yet. Taints that do not say when they came count from then. */
  sinceMs(pod: Pod): number {
    const known = this.#waiting.get(keyOf(pod));
    return known?.uid === uidOf(pod) ? known.sinceMs : this.#kit.clock.now();
  }

  async carryOut(pod: Pod, eviction: Eviction, run: Run): Promise<void> {
    const key = keyOf(pod);
    switch (eviction.kind) {
      case "wait":
        this.#waiting.set(key, { uid: uidOf(pod), sinceMs: this.sinceMs(pod) });
        return run.requeue(eviction.waitMs);
      case "evict":
        await this.#evict(pod, run.signal);
        return this.forget(key);
      case "stay":
        if (this.#waiting.get(key)?.uid === uidOf(pod))
          this.#tell(pod, this.#words.cancelling(pod));
        return this.forget(key);
    }
  }

  /** The pod is gone, or on its way. */
  forget(key: string): void {
    this.#waiting.delete(key);
  }

  async #evict(pod: Pod, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#kit;
    this.#tell(pod, this.#words.deleting(pod));
    try {
      await markDisrupted({ client, clock, signal }, pod, this.#words.condition);
      await deleteThis(client, { resource: pods, object: pod }, { signal });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  #tell(pod: Pod, message: string): void {
    this.#recorder.record(pod, { type: "Normal", reason: this.#words.eventReason, message });
  }
}
