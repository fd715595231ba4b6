import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { readDiskSpace } from "#agent/node/machine-usage.ts";
import { treeSize } from "#agent/node/tree-size.ts";
import type { PodDiskUsage, VolumeUsage } from "#agent/pods/pod-files.ts";
import type { PodDirectory } from "#agent/volumes/pod-directory.ts";

/** Measures a pod's volumes and logs. A volume that is a file system of its own says itself what it takes. */
export async function podDiskUsage(directory: PodDirectory, pod: Pod): Promise<PodDiskUsage> {
  const volumes: VolumeUsage[] = [];
  const root = join(directory.root, "volumes");
  for (const plugin of await namesIn(root)) {
    for (const name of await namesIn(join(root, plugin))) {
      const found = await volumeUsage(join(root, plugin, name), { name, pod });
      if (found) volumes.push(found);
    }
  }
  const logs = new Map<string, Awaited<ReturnType<typeof treeSize>>>();
  for (const name of await namesIn(directory.logs)) {
    logs.set(name, await treeSize(join(directory.logs, name)));
  }
  return { volumes, logs };
}

async function volumeUsage(
  path: string,
  { name, pod }: { readonly name: string; readonly pod: Pod },
): Promise<VolumeUsage | undefined> {
  try {
    const [own, parent, space] = await Promise.all([
      lstat(path),
      lstat(join(path, "..")),
      readDiskSpace(path),
    ]);
    const source = pod.spec?.volumes?.find((volume) => volume.name === name);
    const claim = source?.persistentVolumeClaim?.claimName;
    const named = { name, ...(claim && { claim }) };
    if (own.dev !== parent.dev) return { ...space, ...named, isEphemeral: false };
    return { ...space, ...(await treeSize(path)), ...named, isEphemeral: claim === undefined };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
