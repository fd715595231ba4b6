import type { Pod } from "#api/generated/types.ts";
import { podDirectory } from "#agent/volumes/pod-directory.ts";
import { volumePlugins } from "#agent/volumes/plugins.ts";
import { MounterError } from "#agent/volumes/volume-plugin.ts";
import type { ReadyVolume, VolumeContext, VolumeSpec } from "#agent/volumes/volume-plugin.ts";
import { affinityProblem, resolveVolume } from "#agent/volumes/volume-spec.ts";

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
  const specs = await resolveAll(pod, parts.context);
  const directory = podDirectory(dataDir, pod);
  const ready = new Map<string, ReadyVolume>();
  for (const spec of specs) {
    const { volume, persistent } = spec;
    const name = persistent?.metadata.name ?? volume.name;
    const plugin = volumePlugins.find((candidate) => candidate.supports(spec));
    if (plugin === undefined) throw new VolumeError(unsupported(spec));
    const problem = await affinityProblem(parts.context.persistent, spec);
    if (problem !== undefined) {
      const text = `MountVolume.NodeAffinity check failed for volume "${name}" : ${problem}`;
      throw new VolumeError(text);
    }
    const dir = directory.volume(plugin.folder, volume.name);
    try {
      ready.set(volume.name, await plugin.setUp({ pod, spec, dir, ...parts }));
    } catch (cause) {
      const step = cause instanceof MounterError ? "NewMounter initialization" : "SetUp";
      const text = `MountVolume.${step} failed for volume "${name}" : ${(cause as Error).message}`;
      throw new VolumeError(text, { cause });
    }
  }
  return ready;
}

/** Nothing is mounted before it is known what everything is. */
async function resolveAll(pod: Pod, context: VolumeContext): Promise<readonly VolumeSpec[]> {
  const specs: VolumeSpec[] = [];
  const problems: string[] = [];
  const failed: string[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    try {
      specs.push(await resolveVolume(context.persistent, pod, volume));
    } catch (error) {
      problems.push((error as Error).message);
      failed.push(volume.name);
    }
  }
  if (failed.length === 0) return specs;
  const names = failed.join(" ");
  const why = problems.join("; ");
  const text = `Unable to attach or mount volumes: unmounted volumes=[${names}], unattached volumes=[], failed to process volumes=[${names}]: ${why}`;
  throw new VolumeError(text);
}

function unsupported({ volume, persistent }: VolumeSpec): string {
  if (persistent?.spec?.volumeMode === "Block") {
    return `Unable to map volume "${persistent.metadata.name}": this node has no support for block volumes`;
  }
  const kind = persistent
    ? sourceKind(persistent.spec ?? {})
    : Object.keys(volume).find((field) => field !== "name");
  return `Unable to mount volume "${volume.name}": this node has no support for volumes of type "${kind ?? ""}"`;
}

const notSources: ReadonlySet<string> = new Set(["capacity", "claimRef", "nodeAffinity"]);

/** Of a volume's fields, the one that is an object and no general one says what kind it is. */
function sourceKind(spec: object): string | undefined {
  return Object.entries(spec).find(
    ([field, value]) =>
      typeof value === "object" && !Array.isArray(value) && !notSources.has(field),
  )?.[0];
}
