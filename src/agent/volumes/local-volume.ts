import { mkdir, stat } from "node:fs/promises";
import { run } from "#agent/containerd/run.ts";
import { giveToGroup } from "#agent/volumes/group-of-volume.ts";
import { isMountPoint } from "#agent/volumes/mounts.ts";
import { MounterError } from "#agent/volumes/volume-plugin.ts";
import type { ReadyVolume, VolumePlugin, VolumeRequest } from "#agent/volumes/volume-plugin.ts";

const fsTypeDefault = "ext4";

/** A directory, or the file system on a block device, that somebody prepared on this node (`spec.local`). */
export const localVolume: VolumePlugin = {
  folder: "kubernetes.io~local-volume",
  supports: ({ persistent }) => persistent?.spec?.local !== undefined,
  async setUp(request) {
    const { spec } = request;
    const path = spec.persistent?.spec?.local?.path ?? "";
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) throw new MounterError(`path "${path}" does not exist`);
    if (!info.isDirectory() && !info.isBlockDevice()) {
      throw new Error("only directory and block device are supported");
    }
    return mountLocal(request, path, info.isDirectory());
  },
};

async function mountLocal(
  { pod, spec, dir }: VolumeRequest,
  path: string,
  isDirectory: boolean,
): Promise<ReadyVolume> {
  const { mountOptions = [], local } = spec.persistent?.spec ?? {};
  await mkdir(dir, { recursive: true, mode: 0o750 });
  if (!(await isMountPoint(dir))) {
    const source = isDirectory ? ["--bind"] : ["-t", local?.fsType ?? fsTypeDefault];
    await run("mount", [...source, path, dir]);
    const options = [...mountOptions, ...(spec.readOnly ? ["ro"] : [])];
    if (options.length > 0) {
      const again = isDirectory ? ["remount", "bind", ...options] : ["remount", ...options];
      await run("mount", ["-o", again.join(), dir]);
    }
  }
  if (!spec.readOnly) await giveToGroup(pod, dir, { readOnly: false, mayTrustRoot: true });
  return { hostPath: dir, readOnly: spec.readOnly };
}
