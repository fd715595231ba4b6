import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { mountsBelow, unmountBelow } from "#agent/containerd/containerd-clean.ts";
import { volumePlugins } from "#agent/volumes/plugins.ts";
import type { VolumeContext, VolumePlace } from "#agent/volumes/volume-plugin.ts";

interface PodOnDisk {
  /** The pod's directory. */
  readonly root: string;
  readonly podUid: string;
  readonly context: VolumeContext;
}

/**
 * Takes away a pod's volumes as its folders tell of them: sub-paths first, which lie in volumes, then each volume by
 * its plugin, then the folders. Nothing is removed below what is still mounted: that would be somebody's data.
 */
export async function tearDownVolumes(pod: PodOnDisk): Promise<void> {
  const { root } = pod;
  const subPaths = join(root, "volume-subpaths");
  await unmountBelow([subPaths]);
  for (const { folder, ...place } of await volumesOnDisk(pod)) {
    const plugin = volumePlugins.find((candidate) => candidate.folder === folder);
    await plugin?.tearDown?.(place);
  }
  await unmountBelow([root]);
  const [mount] = await mountsBelow([root]);
  if (mount !== undefined) throw new Error(`Cannot remove volumes: "${mount}" is still mounted`);
  for (const folder of [subPaths, join(root, "volumes")]) {
    await rm(folder, { recursive: true, force: true });
  }
}

async function volumesOnDisk({
  root,
  podUid,
  context,
}: PodOnDisk): Promise<readonly (VolumePlace & { readonly folder: string })[]> {
  const found = [];
  for (const folder of await namesIn(join(root, "volumes"))) {
    for (const name of await namesIn(join(root, "volumes", folder))) {
      found.push({ folder, podUid, name, context, dir: join(root, "volumes", folder, name) });
    }
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
