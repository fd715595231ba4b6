import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

export interface LeftoverParts {
  readonly runtime: Pick<ContainerRuntime, "listContainers" | "listSandboxes">;
  readonly view: RuntimeView;
  readonly files: Pick<PodFiles, "removeOrphans">;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether somebody looks after the pod of this uid already. */
  readonly isKnown: (uid: string) => boolean;
  readonly clearUp: (pod: GonePod) => void;
}

export interface GonePod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

/** By then all has ended that an agent before this one had begun: its calls to the runtime, the programs it ran. */
const settledMs = 15_000;
const firstRetryMs = 1000;
const retryMsMax = 120_000;

/**
 * Removes what pods left whose objects are gone: they went while no agent ran, or as one died amid something. What that
 * one had begun may come to be only after this one has looked, and hold what is to be removed: so it looks once more
 * when all that has settled, and again, ever later, while anything stays.
 */
export class Leftovers implements Disposable {
  readonly #parts: LeftoverParts;
  #retryMs = firstRetryMs;
  #cancel: () => void = () => {};
  #isDisposed = false;

  constructor(parts: LeftoverParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { view, isKnown, clearUp, clock } = this.#parts;
    for (const [uid, { namespace, name }] of view.pods()) {
      if (!isKnown(uid)) clearUp({ uid, namespace, name });
    }
    await this.#removeFiles();
    if (this.#isDisposed) return;
    this.#cancel = clock.after(settledMs, () => void this.#sweep());
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancel();
  }

  async #sweep(): Promise<void> {
    const isClean = (await this.#findSandboxes()) && (await this.#removeFiles());
    if (isClean || this.#isDisposed) return;
    this.#cancel = this.#parts.clock.after(this.#retryMs, () => void this.#sweep());
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2);
  }

  /** Not by the view: that was told of what was there at the start, and of what this agent made. */
  async #findSandboxes(): Promise<boolean> {
    const { runtime, view, isKnown, clearUp, log } = this.#parts;
    try {
      const [sandboxes, containers] = await Promise.all([
        runtime.listSandboxes(),
        runtime.listContainers(),
      ]);
      if (this.#isDisposed) return true;
      const strange = sandboxes.filter(({ uid }) => !isKnown(uid));
      for (const sandbox of strange) {
        view.addSandbox(sandbox);
        for (const container of containers) {
          if (container.sandboxId === sandbox.id) view.addContainer(container);
        }
      }
      for (const { uid, namespace, name } of strange) {
        if (!isKnown(uid)) clearUp({ uid, namespace, name });
      }
      return true;
    } catch (error) {
      log.warn("what gone pods left is not looked for", { reason: messageOf(error) });
      return false;
    }
  }

  async #removeFiles(): Promise<boolean> {
    const { files, isKnown, log } = this.#parts;
    try {
      await files.removeOrphans(isKnown);
      return true;
    } catch (error) {
      log.warn("what gone pods left is not removed yet", { reason: messageOf(error) });
      return false;
    }
  }
}
