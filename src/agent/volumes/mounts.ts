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
import { basename, dirname, join, relative, sep } from "node:path";
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
 * the volume at the same time: every part of the path is opened or made without following links, and what was opened
 * is what is bound, so nothing outside the volume can be reached.
 */
export async function bindSubPath(root: string, subPath: string, target: string): Promise<void> {
  if (await isMountPoint(target)) return;
  const realRoot = await realpath(root);
  const parts = await resolveInside(realRoot, join(realRoot, subPath));
  const { mode } = await stat(realRoot);
  const handle = await openInside(realRoot, parts, mode & 0o7777);
  try {
    const isDirectory = (await handle.stat()).isDirectory();
    await mkdir(isDirectory ? target : dirname(target), { recursive: true });
    if (!isDirectory) await writeFile(target, "", { flag: "a" });
    // Else `mount` would look up where the handle is, and follow links on the way there.
    const source = `/proc/${process.pid}/fd/${handle.fd}`;
    await run("mount", ["--no-canonicalize", "--bind", source, target]);
  } finally {
    await handle.close();
  }
}

/** The parts of a path below `root` once the links in it are followed, as far as it exists at this moment. */
async function resolveInside(root: string, wanted: string): Promise<readonly string[]> {
  const missing: string[] = [];
  let path = wanted;
  for (; path !== root && !(await exists(path)); path = dirname(path)) {
    missing.unshift(basename(path));
  }
  const inside = relative(root, await realpath(path));
  if (inside === ".." || inside.startsWith(`..${sep}`)) {
    throw new Error(`"${relative(root, wanted)}" leads out of the volume`);
  }
  return [...inside.split(sep).filter(Boolean), ...missing];
}

/**
 * Names what is below `root` without following links: `/proc/self/fd/…` of the handle is that very thing. With a mode,
 * folders that are not there are made.
 */
export async function openInside(
  root: string,
  parts: readonly string[],
  makeMode?: number,
): Promise<FileHandle> {
  const flags = onlyPath | constants.O_NOFOLLOW;
  let handle = await open(root, flags);
  for (const part of parts) {
    const parent = handle;
    try {
      handle = await openPart(`/proc/self/fd/${parent.fd}/${part}`, makeMode);
    } finally {
      await parent.close();
    }
    if (!(await handle.stat()).isSymbolicLink()) continue;
    await handle.close();
    throw new Error(`"${part}" became a link`);
  }
  return handle;
}

async function openPart(path: string, makeMode: number | undefined): Promise<FileHandle> {
  const flags = onlyPath | constants.O_NOFOLLOW;
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || makeMode === undefined) throw error;
  }
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const handle = await open(path, flags);
  // By the handle: the name may be a link by now. The mode of a new directory is cut by the process's mask.
  if ((await handle.stat()).isDirectory()) await chmod(`/proc/self/fd/${handle.fd}`, makeMode);
  return handle;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
