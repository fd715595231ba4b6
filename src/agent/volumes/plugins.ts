import { chmod, chown, lstat, mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { parseQuantity, quantityValue } from "#api/quantity.ts";
import { run } from "#agent/containerd/run.ts";
import { type VolumeFile, writeAtomically } from "#agent/volumes/atomic-files.ts";
import { isMountPoint } from "#agent/volumes/mounts.ts";
import {
  configMapFiles,
  downwardFiles,
  projectedFiles,
  secretFiles,
} from "#agent/volumes/object-files.ts";
import type { ReadyVolume, VolumePlugin, VolumeRequest } from "#agent/volumes/volume-plugin.ts";

const usualMode = 0o644;

const emptyDir: VolumePlugin = {
  folder: "kubernetes.io~empty-dir",
  supports: ({ emptyDir: source }) => source !== undefined,
  async setUp({ pod, volume, dir }) {
    await mkdir(dir, { recursive: true });
    const { medium, sizeLimit } = volume.emptyDir ?? {};
    if (medium === "Memory" && !(await isMountPoint(dir))) {
      const size = sizeLimit ? [`size=${quantityValue(parseQuantity(sizeLimit))}`] : [];
      await run("mount", ["-t", "tmpfs", "-o", ["mode=0777", ...size].join(), "tmpfs", dir]);
    } else if (medium?.startsWith("HugePages")) {
      throw new Error(`the medium "${medium}" is not supported`);
    }
    // The mode of a new directory is cut by the process's mask.
    await chmod(dir, 0o777);
    await giveToGroup(pod, dir, false);
    return { hostPath: dir, readOnly: false };
  },
};

const configMap: VolumePlugin = {
  folder: "kubernetes.io~configmap",
  supports: ({ configMap: source }) => source !== undefined,
  async setUp(request) {
    const source = request.volume.configMap ?? {};
    const selection = { ...source, defaultMode: source.defaultMode ?? usualMode };
    return writeFiles(request, await configMapFiles(request, source.name ?? "", selection));
  },
};

const secret: VolumePlugin = {
  folder: "kubernetes.io~secret",
  supports: ({ secret: source }) => source !== undefined,
  async setUp(request) {
    const source = request.volume.secret ?? {};
    const selection = { ...source, defaultMode: source.defaultMode ?? usualMode };
    await keepInMemory(request.dir);
    return writeFiles(request, await secretFiles(request, source.secretName ?? "", selection));
  },
};

const downwardAPI: VolumePlugin = {
  folder: "kubernetes.io~downward-api",
  supports: ({ downwardAPI: source }) => source !== undefined,
  async setUp(request) {
    const { items = [], defaultMode = usualMode } = request.volume.downwardAPI ?? {};
    return writeFiles(request, downwardFiles(request, items, defaultMode));
  },
};

const projected: VolumePlugin = {
  folder: "kubernetes.io~projected",
  supports: ({ projected: source }) => source !== undefined,
  async setUp(request) {
    const { sources = [], defaultMode = usualMode } = request.volume.projected ?? {};
    const parts = [];
    for (const source of sources) parts.push(await projectedFiles(request, source, defaultMode));
    await keepInMemory(request.dir);
    const byPath = new Map(parts.flatMap(({ files }) => files.map((file) => [file.path, file])));
    const ready = await writeFiles(request, [...byPath.values()]);
    const times = parts.flatMap(({ refreshAtMs }) => (refreshAtMs ? [refreshAtMs] : []));
    return times.length === 0 ? ready : { ...ready, refreshAtMs: Math.min(...times) };
  },
};

const hostPath: VolumePlugin = {
  folder: "kubernetes.io~host-path",
  supports: ({ hostPath: source }) => source !== undefined,
  async setUp({ volume }) {
    const { path = "", type = "" } = volume.hostPath ?? {};
    await checkHostPath(path, type);
    return { hostPath: path, readOnly: false };
  },
};

/** All kinds of volumes that this node can set up. */
export const volumePlugins: readonly VolumePlugin[] = [
  emptyDir,
  configMap,
  secret,
  projected,
  downwardAPI,
  hostPath,
];

/** Secrets and tokens never reach a disk. Where mounting is refused, the folder's mode must do. */
async function keepInMemory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  if (await isMountPoint(dir)) return;
  await run("mount", ["-t", "tmpfs", "-o", "mode=0755", "tmpfs", dir]).catch(() => "");
}

async function writeFiles(
  request: VolumeRequest,
  files: readonly VolumeFile[],
): Promise<ReadyVolume> {
  await writeAtomically(request.dir, files, request.context.clock.now());
  await chmod(request.dir, 0o777);
  await giveToGroup(request.pod, request.dir, true);
  return { hostPath: request.dir, readOnly: true };
}

/** Gives a volume to the pod's `fsGroup`: readable, writable unless `readOnly`, and inherited by new files. */
async function giveToGroup(pod: Pod, dir: string, readOnly: boolean): Promise<void> {
  const group = pod.spec?.securityContext?.fsGroup;
  if (group === undefined) return;
  const paths = (await readdir(dir, { recursive: true })).map((name) => join(dir, name));
  for (const path of [dir, ...paths]) {
    const info = await lstat(path);
    if (info.isSymbolicLink()) continue;
    const rights = readOnly ? 0o440 : 0o660;
    await chown(path, info.uid, group);
    await chmod(path, (info.mode & 0o7777) | (info.isDirectory() ? rights | 0o2110 : rights));
  }
}

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
