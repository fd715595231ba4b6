import type { Pod, PodStatus } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import { type Clock, sleep } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { MirrorKeeper } from "#agent/static-pods/mirror-keeper.ts";
import type { NodeMetrics } from "#agent/stats/node-metrics.ts";
import type { Client } from "#client/client.ts";

const retryMs = 2000;

export interface StatusWriterParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<NodeMetrics, "podRuns">;
  /** Knows which object a pod's status is written to. */
  readonly mirrors: Pick<MirrorKeeper, "uidOf">;
}

/** Writes one pod's status: one write at a time, the newest wins, equal ones are left out. */
export class StatusWriter {
  readonly #parts: StatusWriterParts;
  readonly #signal: AbortSignal;
  /** The node sees the pod for the first time when it makes this. */
  readonly #seenMs: number;
  #waiting: { readonly pod: Pod; readonly status: PodStatus } | undefined;
  #written = "";
  #writing: Promise<void> | undefined;
  /** What the API server has, as far as we know. */
  #last: PodStatus | undefined;

  constructor(parts: StatusWriterParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    this.#seenMs = parts.clock.now();
  }

  /** The status that was written last, for who must know it before the watch tells. */
  get last(): PodStatus | undefined {
    return this.#last;
  }

  write(pod: Pod, status: PodStatus): void {
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    this.#written = text;
    const before = this.#last?.phase ?? pod.status?.phase ?? "Pending";
    if (before === "Pending" && status.phase === "Running") {
      const { metrics, clock } = this.#parts;
      metrics.podRuns(Math.max(0, clock.now() - this.#seenMs) / 1000);
    }
    this.#last = status;
    this.#waiting = { pod, status };
    this.#writing ??= this.#drain().finally(() => (this.#writing = undefined));
  }

  /** What was written counts for nothing any more. */
  forget(): void {
    this.#written = "";
  }

  /** Resolves when all that was given is written, or the pod is gone. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#waiting && !this.#signal.aborted) {
      const { pod, status } = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#patch(pod, status);
      } catch (error) {
        if (this.#signal.aborted || isNotFound(error) || isConflict(error)) return;
        this.#parts.log.warn("pod status not written", { reason: messageOf(error) });
        this.#waiting ??= { pod, status };
        await sleep(this.#parts.clock, retryMs, this.#signal).catch(() => {});
      }
    }
  }

  async #patch(pod: Pod, status: PodStatus): Promise<void> {
    const uid = this.#parts.mirrors.uidOf(pod);
    if (uid === undefined) return;
    const at = { namespace: namespaceOf(pod), name: nameOf(pod) };
    // Fields that are gone must be named, or a merge would keep them; the uid makes it this very pod.
    const value = {
      metadata: { uid },
      status: { ...Object.fromEntries(ownFields.map((field) => [field, null])), ...status },
    };
    const options = { subresource: "status", signal: this.#signal };
    await this.#parts.client.patch(pods, at, { kind: "merge", value }, options);
  }
}

const ownFields = [
  "reason",
  "message",
  "podIP",
  "podIPs",
  "initContainerStatuses",
  "containerStatuses",
  "ephemeralContainerStatuses",
];

/** What we wrote counts before the watch brings it back; conditions of others come with the watch. */
export function withStatus(pod: Pod, own: PodStatus | undefined): Pod {
  if (own === undefined) return pod;
  const others = (pod.status?.conditions ?? []).filter(
    ({ type }) => !own.conditions?.some((condition) => condition.type === type),
  );
  const conditions = [...others, ...(own.conditions ?? [])];
  return { ...pod, status: { ...pod.status, ...own, conditions } };
}
