import type { Pod, Volume } from "#api/generated/types.ts";
import { podDirectory } from "#agent/volumes/pod-directory.ts";
import { volumePlugins } from "#agent/volumes/plugins.ts";
import type { ReadyVolume, VolumeContext } from "#agent/volumes/volume-plugin.ts";

export type ReadyVolumes = ReadonlyMap<string, ReadyVolume>;

/** A volume that could not be set up, in the words of upstream's `FailedMount` event. */
export class VolumeError extends Error {
  override readonly name = "VolumeError";
}

/** Sets up every volume of a pod, or brings those that are set up up to date. */
export async function setUpVolumes(
  dataDir: string,
  pod: Pod,
  parts: { readonly context: VolumeContext; readonly podIps: readonly string[] },
): Promise<ReadyVolumes> {
  const directory = podDirectory(dataDir, pod);
  const ready = new Map<string, ReadyVolume>();
  for (const volume of pod.spec?.volumes ?? []) {
    const plugin = volumePlugins.find((candidate) => candidate.supports(volume));
    if (plugin === undefined) throw new VolumeError(unsupported(volume));
    const dir = directory.volume(plugin.folder, volume.name);
    try {
      ready.set(volume.name, await plugin.setUp({ pod, volume, dir, ...parts }));
    } catch (cause) {
      const why = (cause as Error).message;
      const text = `MountVolume.SetUp failed for volume "${volume.name}" : ${why}`;
      throw new VolumeError(text, { cause });
    }
  }
  return ready;
}

function unsupported(volume: Volume): string {
  const kind = Object.keys(volume).find((field) => field !== "name") ?? "";
  return `Unable to mount volume "${volume.name}": this node has no support for volumes of type "${kind}"`;
}
