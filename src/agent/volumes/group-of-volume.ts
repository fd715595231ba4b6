import { chmod, lchown, lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";

const directoryRights = 0o2110;

/**
 * Gives a volume to the pod's `fsGroup`: readable, writable unless `readOnly`, and inherited by new files. With
 * `mayTrustRoot`, a pod that asks for `OnRootMismatch` takes a root that is right already as a sign for all of it.
 */
export async function giveToGroup(
  pod: Pod,
  dir: string,
  options: { readonly readOnly: boolean; readonly mayTrustRoot?: boolean },
): Promise<void> {
  const { fsGroup: group, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
  if (group === undefined) return;
  const rights = options.readOnly ? 0o440 : 0o660;
  if (options.mayTrustRoot && fsGroupChangePolicy === "OnRootMismatch") {
    const wanted = rights | directoryRights;
    const { gid, mode } = await lstat(dir);
    if (gid === group && (mode & wanted) === wanted) return;
  }
  // The root comes last: when this is broken off, it does not look as if all were done.
  for await (const entry of await opendir(dir, { recursive: true })) {
    await give(join(entry.parentPath, entry.name), group, rights);
  }
  await give(dir, group, rights);
}

async function give(path: string, group: number, rights: number): Promise<void> {
  const info = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    // What a container uses already may lose files meanwhile.
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (info === undefined) return;
  await lchown(path, info.uid, group);
  if (info.isSymbolicLink()) return;
  await chmod(path, (info.mode & 0o7777) | rights | (info.isDirectory() ? directoryRights : 0));
}
