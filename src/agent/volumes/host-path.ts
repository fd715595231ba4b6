import { mkdir, open, stat } from "node:fs/promises";
import { sourceOf, type VolumePlugin } from "#agent/volumes/volume-plugin.ts";

/** A path of the node's own, for a pod or behind a persistent volume. Nothing is mounted but what is there. */
export const hostPath: VolumePlugin = {
  folder: "kubernetes.io~host-path",
  supports: (spec) => sourceOf(spec).hostPath !== undefined,
  async setUp({ spec }) {
    const { path = "", type = "" } = sourceOf(spec).hostPath ?? {};
    await checkHostPath(path, type);
    return { hostPath: path, readOnly: spec.readOnly };
  },
};

type Info = Awaited<ReturnType<typeof stat>>;

const hostPathTypes: Readonly<Record<string, { is: (info: Info) => boolean; what: string }>> = {
  Directory: { is: (info) => info.isDirectory(), what: "a directory" },
  DirectoryOrCreate: { is: (info) => info.isDirectory(), what: "a directory" },
  File: { is: (info) => info.isFile(), what: "a file" },
  FileOrCreate: { is: (info) => info.isFile(), what: "a file" },
  Socket: { is: (info) => info.isSocket(), what: "a socket file" },
  CharDevice: { is: (info) => info.isCharacterDevice(), what: "a character device" },
  BlockDevice: { is: (info) => info.isBlockDevice(), what: "a block device" },
};

async function checkHostPath(path: string, type: string): Promise<void> {
  if (type === "") return;
  const rule = hostPathTypes[type];
  if (rule === undefined) throw new Error(`${type} is an invalid volume type`);
  const info = await stat(path).catch(() => undefined);
  if (info === undefined && type === "DirectoryOrCreate") {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } else if (info === undefined && type === "FileOrCreate") {
    await (await open(path, "a", 0o644)).close();
  } else if (info === undefined || !rule.is(info)) {
    throw new Error(`hostPath type check failed: ${path} is not ${rule.what}`);
  }
}
