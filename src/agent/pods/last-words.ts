import type { Pod } from "#api/generated/types.ts";
import { findContainer } from "#agent/pods/pod-containers.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

/** Containers with what they left to be shown, which is read once after each one's end. */
export class LastWords {
  readonly #files: PodFiles;
  readonly #read = new Map<string, string>();

  constructor(files: PodFiles) {
    this.#files = files;
  }

  async of(pod: Pod, container: ContainerState): Promise<ContainerState> {
    if (container.state !== "exited") return container;
    let message = this.#read.get(container.id);
    if (message === undefined) {
      const spec = findContainer(pod, container.name);
      message = spec ? await this.#files.lastWords(pod, spec, container) : container.message;
      this.#read.set(container.id, message);
    }
    return { ...container, message };
  }

  forget(containerId: string): void {
    this.#read.delete(containerId);
  }
}
