import type { ImageVolumeSource, Pod } from "#api/generated/types.ts";
import type { ImagePuller, Tell } from "#agent/pods/image-puller.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

/** Images as folders that can be read. */
export interface MountableImages {
  /** Mounts the image's files at `target`, read-only, pulling it as its policy says. */
  mount(wanted: ImageMount): Promise<void>;
  /** Harmless when nothing is mounted there. */
  unmount(target: string): Promise<void>;
}

export interface ImageMount {
  readonly pod: Pod;
  readonly source: ImageVolumeSource;
  readonly target: string;
}

/** Images pulled as those of containers are, with the same events. */
export function createMountableImages(parts: {
  readonly runtime: ContainerRuntime;
  readonly puller: ImagePuller;
  readonly recorder: EventRecorder;
  readonly signal: AbortSignal;
}): MountableImages {
  const { runtime, puller, recorder, signal } = parts;
  return {
    async mount({ pod, source, target }) {
      const { reference = "", pullPolicy } = source;
      if (runtime.imageMounts === undefined) {
        throw new Error(`the runtime of this node cannot mount image "${reference}"`);
      }
      const spec = {
        name: reference,
        image: reference,
        ...(pullPolicy && { imagePullPolicy: pullPolicy }),
      };
      const tell: Tell = (type, reason, message) => recorder.record(pod, { type, reason, message });
      const image = await puller.ensure(pod, { role: "app", spec }, tell, signal);
      await runtime.imageMounts.mount(image.id, target);
    },
    unmount: async (target) => runtime.imageMounts?.unmount(target),
  };
}
