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

type IsKnown = (uid: string) => boolean;

/**
 * Removes the folders, mounts, logs and control groups of pods that nobody knows. One that resists does not keep the
 * others; the first such error is thrown at the end.
 */
export async function removeOrphans(options: OrphansOf, isKnown: IsKnown): Promise<void> {
  const failures: unknown[] = [];
  for (const remove of await orphans(options, isKnown)) {
    try {
      await remove();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Names are read before it is asked who is known: a pod is known before anything of it is made, so that what is new
 * meanwhile is never taken for an orphan.
 */
async function orphans(
  { dataDir, cgroupRoot, context }: OrphansOf,
  isKnown: IsKnown,
): Promise<readonly (() => Promise<void>)[]> {
  const found: (() => Promise<void>)[] = [];
  const pods = join(dataDir, "pods");
  for (const uid of await namesIn(pods)) {
    if (isKnown(uid)) continue;
    const root = join(pods, uid);
    found.push(async () => {
      await tearDownVolumes({ root, podUid: uid, context });
      await rm(root, { recursive: true, force: true });
    });
  }
  const logs = join(dataDir, "logs", "pods");
  for (const name of await namesIn(logs)) {
    // `NAMESPACE_NAME_UID`: none of the three has an underscore.
    if (isKnown(name.split("_").at(-1) ?? "")) continue;
    found.push(() => rm(join(logs, name), { recursive: true, force: true }));
  }
  const parents = cgroupRoot ? ["", "/burstable", "/besteffort"].map((at) => cgroupRoot + at) : [];
  for (const parent of parents) {
    const hierarchy = isUnified() ? "" : "memory";
    for (const name of await namesIn(join(cgroupMount, hierarchy, parent))) {
      if (!name.startsWith("pod") || isKnown(name.slice("pod".length))) continue;
      found.push(() => removeControlGroup(`${parent}/${name}`));
    }
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
