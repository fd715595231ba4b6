import { chmod, mkdir } from "node:fs/promises";
import { run } from "#agent/containerd/run.ts";
import { type VolumeFile, writeAtomically } from "#agent/volumes/atomic-files.ts";
import { giveToGroup } from "#agent/volumes/group-of-volume.ts";
import { isMountPoint } from "#agent/volumes/mounts.ts";
import {
  configMapFiles,
  downwardFiles,
  projectedFiles,
  secretFiles,
} from "#agent/volumes/object-files.ts";
import type { ReadyVolume, VolumePlugin, VolumeRequest } from "#agent/volumes/volume-plugin.ts";

const usualMode = 0o644;

export const configMap: VolumePlugin = {
  folder: "kubernetes.io~configmap",
  supports: ({ volume }) => volume.configMap !== undefined,
  async setUp(request) {
    const source = request.spec.volume.configMap ?? {};
    const selection = { ...source, defaultMode: source.defaultMode ?? usualMode };
    return writeFiles(request, await configMapFiles(request, source.name ?? "", selection));
  },
};

export const secret: VolumePlugin = {
  folder: "kubernetes.io~secret",
  supports: ({ volume }) => volume.secret !== undefined,
  async setUp(request) {
    const source = request.spec.volume.secret ?? {};
    const selection = { ...source, defaultMode: source.defaultMode ?? usualMode };
    await keepInMemory(request.dir);
    return writeFiles(request, await secretFiles(request, source.secretName ?? "", selection));
  },
};

export const downwardAPI: VolumePlugin = {
  folder: "kubernetes.io~downward-api",
  supports: ({ volume }) => volume.downwardAPI !== undefined,
  async setUp(request) {
    const { items = [], defaultMode = usualMode } = request.spec.volume.downwardAPI ?? {};
    return writeFiles(request, downwardFiles(request, items, defaultMode));
  },
};

export const projected: VolumePlugin = {
  folder: "kubernetes.io~projected",
  supports: ({ volume }) => volume.projected !== undefined,
  async setUp(request) {
    const { sources = [], defaultMode = usualMode } = request.spec.volume.projected ?? {};
    const parts = [];
    for (const source of sources) parts.push(await projectedFiles(request, source, defaultMode));
    await keepInMemory(request.dir);
    const byPath = new Map(parts.flatMap(({ files }) => files.map((file) => [file.path, file])));
    const ready = await writeFiles(request, [...byPath.values()]);
    const times = parts.flatMap(({ refreshAtMs }) => (refreshAtMs ? [refreshAtMs] : []));
    return times.length === 0 ? ready : { ...ready, refreshAtMs: Math.min(...times) };
  },
};

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
  await giveToGroup(request.pod, request.dir, { readOnly: true });
  return { hostPath: request.dir, readOnly: true };
}
