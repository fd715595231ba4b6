import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readFile,
  realpath,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import process from "node:process";
import { run } from "#agent/containerd/run.ts";

/** Whether something is mounted right at this path. */
export async function isMountPoint(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  return mounts.split("\n").some((line) => line.split(" ")[4] === path);
}

/** `O_PATH` of open(2): names a file without opening it. Node has no constant for it. */
const onlyPath = 0o10000000;

/**
 * Binds a path inside a volume to `target`, and makes it a directory when it does not exist. A container may change
 * the volume at the same time: every part of the path is opened without following links, and what was opened is what
 * is bound, so nothing outside the volume can be reached.
 */
export async function bindSubPath(root: string, subPath: string, target: string): Promise<void> {
  if (await isMountPoint(target)) return;
  const realRoot = await realpath(root);
  const wanted = join(realRoot, subPath);
  await makeMissing(realRoot, wanted);
  const inside = relative(realRoot, await realpath(wanted));
  if (inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new Error(`subPath "${subPath}" leads out of the volume`);
  }
  const handle = await openInside(realRoot, inside.split(sep).filter(Boolean));
  try {
    const isDirectory = (await handle.stat()).isDirectory();
    await mkdir(isDirectory ? target : dirname(target), { recursive: true });
    if (!isDirectory) await writeFile(target, "", { flag: "a" });
    await run("mount", ["--bind", `/proc/${process.pid}/fd/${handle.fd}`, target]);
  } finally {
    await handle.close();
  }
}

/** Makes the folders that are not there, with the volume's own rights, as upstream. */
async function makeMissing(root: string, wanted: string): Promise<void> {
  const missing: string[] = [];
  let path = wanted;
  for (; path !== root && !(await exists(path)); path = dirname(path)) missing.unshift(path);
  const inside = relative(root, await realpath(path));
  if (inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new Error(`"${wanted}" leads out of the volume`);
  }
  const { mode } = await stat(root);
  for (const folder of missing) {
    await mkdir(folder);
    await chmod(folder, mode & 0o7777);
  }
}

/** Names what is below `root` without following links: `/proc/self/fd/…` of the handle is that very thing. */
export async function openInside(root: string, parts: readonly string[]): Promise<FileHandle> {
  const flags = onlyPath | constants.O_NOFOLLOW;
  let handle = await open(root, flags);
  for (const part of parts) {
    const parent = handle;
    try {
      handle = await open(`/proc/self/fd/${parent.fd}/${part}`, flags);
      if ((await handle.stat()).isSymbolicLink()) throw new Error(`"${part}" became a link`);
    } finally {
      await parent.close();
    }
  }
  return handle;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
