import { isDeepStrictEqual } from "node:util";
import type { Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";

export interface VolumeKeeperParts {
  readonly clock: Clock;
  readonly files: PodFiles;
  /** Called when what volumes show has become stale by time alone. */
  readonly onStale: () => void;
}

export type VolumeOutcome =
  | { readonly kind: "ready" }
  | { readonly kind: "waits"; readonly delayMs: number }
  /** It failed just now, and is tried again after `delayMs`. */
  | { readonly kind: "failed"; readonly error: Error; readonly delayMs: number };

/** Whether files that tell of the pod itself, as a downward API volume has them, tell something else now. */
export function showsOtherwise(before: Pod, after: Pod): boolean {
  const tellsOfPod = after.spec?.volumes?.some(
    ({ downwardAPI, projected }) =>
      downwardAPI ?? projected?.sources?.some((source) => source.downwardAPI),
  );
  if (!tellsOfPod) return false;
  return !isDeepStrictEqual(toldOf(before), toldOf(after));
}

function toldOf({ metadata, spec }: Pod): readonly unknown[] {
  const { initContainers = [], containers = [] } = spec ?? {};
  const resources = [...initContainers, ...containers].map((container) => container.resources);
  return [metadata.labels, metadata.annotations, resources];
}

const firstRetryMs = 500;
const retryMsMax = 122_000;

/** Whether one pod's volumes are set up and current; sets them up when asked and tries again later each time. */
export class VolumeKeeper implements Disposable {
  readonly #parts: VolumeKeeperParts;
  #failures = 0;
  #retryAtMs = 0;
  #cancelRefresh: () => void = () => {};
  #isReady = false;
  #changes = 0;

  constructor(parts: VolumeKeeperParts) {
    this.#parts = parts;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** What a volume shows has changed, perhaps while it is being set up. */
  markStale(): void {
    this.#isReady = false;
    this.#changes += 1;
  }

  async setUp(pod: Pod, podIps: readonly string[]): Promise<VolumeOutcome> {
    const { clock, files } = this.#parts;
    if (this.#isReady) return { kind: "ready" };
    const delayMs = this.#retryAtMs - clock.now();
    if (delayMs > 0) return { kind: "waits", delayMs };
    const changes = this.#changes;
    try {
      const staleMs = await files.setUpVolumes(pod, podIps);
      this.#isReady = changes === this.#changes;
      this.#failures = 0;
      this.#retryAtMs = 0;
      if (staleMs > 0) this.#refreshAt(staleMs - clock.now());
      return { kind: "ready" };
    } catch (error) {
      const retryMs = Math.min(retryMsMax, firstRetryMs * 2 ** this.#failures);
      this.#failures += 1;
      this.#retryAtMs = clock.now() + retryMs;
      const known = error instanceof Error ? error : new Error(messageOf(error));
      return { kind: "failed", error: known, delayMs: retryMs };
    }
  }

  [Symbol.dispose](): void {
    this.#cancelRefresh();
  }

  #refreshAt(delayMs: number): void {
    this.#cancelRefresh();
    this.#cancelRefresh = this.#parts.clock.after(Math.max(1000, delayMs), () => {
      this.markStale();
      this.#parts.onStale();
    });
  }
}
