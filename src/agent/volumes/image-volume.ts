import { mkdir } from "node:fs/promises";
import { isMountPoint } from "#agent/volumes/mounts.ts";
import type { VolumePlugin } from "#agent/volumes/volume-plugin.ts";

/** The files of an image, only to be read. They stay those of the image that was found when the pod started. */
export const imageVolume: VolumePlugin = {
  folder: "kubernetes.io~image",
  supports: ({ volume }) => volume.image !== undefined,
  async setUp({ pod, spec, dir, context }) {
    await mkdir(dir, { recursive: true });
    if (!(await isMountPoint(dir))) {
      await context.images.mount({ pod, source: spec.volume.image ?? {}, target: dir });
    }
    return { hostPath: dir, readOnly: true };
  },
  tearDown: ({ dir, context }) => context.images.unmount(dir),
};
