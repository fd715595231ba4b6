import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";
import { removeControlGroup } from "#agent/node/control-groups.ts";
import { tearDownVolumes } from "#agent/volumes/tear-down.ts";
import type { VolumeContext } from "#agent/volumes/volume-plugin.ts";

interface OrphansOf {
  readonly dataDir: string;
  readonly cgroupRoot?: string;
  readonly context: VolumeContext;
}

/** Removes the folders, mounts, logs and control groups of pods that are not among the known. */
export async function removeOrphans(
  { dataDir, cgroupRoot, context }: OrphansOf,
  known: ReadonlySet<string>,
): Promise<void> {
  const pods = join(dataDir, "pods");
  for (const uid of await namesIn(pods)) {
    if (known.has(uid)) continue;
    await tearDownVolumes({ root: join(pods, uid), podUid: uid, context });
    await rm(join(pods, uid), { recursive: true, force: true });
  }
  const logs = join(dataDir, "logs", "pods");
  for (const name of await namesIn(logs)) {
    // `NAMESPACE_NAME_UID`: none of the three has an underscore.
    const uid = name.split("_").at(-1) ?? "";
    if (!known.has(uid)) await rm(join(logs, name), { recursive: true, force: true });
  }
  if (cgroupRoot === undefined) return;
  for (const parent of [cgroupRoot, `${cgroupRoot}/burstable`, `${cgroupRoot}/besteffort`]) {
    const hierarchy = isUnified() ? "" : "memory";
    for (const name of await namesIn(join(cgroupMount, hierarchy, parent))) {
      if (!name.startsWith("pod") || known.has(name.slice("pod".length))) continue;
      await removeControlGroup(`${parent}/${name}`);
    }
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
