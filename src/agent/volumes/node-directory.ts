import { giveToGroup } from "#agent/volumes/group-of-volume.ts";
import { isNodeDirectory } from "#agent/volumes/node-directories.ts";
import type { VolumePlugin } from "#agent/volumes/volume-plugin.ts";

/** A directory that the cluster gave out itself: made when it is first mounted, whoever the pod's user is. */
export const nodeDirectory: VolumePlugin = {
  folder: "kogge.dev~local-path",
  supports: ({ persistent }) => persistent !== undefined && isNodeDirectory(persistent),
  async setUp({ pod, spec, context }) {
    const { persistent, readOnly } = spec;
    if (persistent === undefined) throw new Error("a directory of the node needs a volume");
    const path = await context.directories.make(persistent);
    if (!readOnly) await giveToGroup(pod, path, { readOnly: false, mayTrustRoot: true });
    return { hostPath: path, readOnly };
  },
};
