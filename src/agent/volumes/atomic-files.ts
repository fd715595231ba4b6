import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
  chown,
  stat,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file of a volume made of API objects. The path is relative and stays inside. */
export interface VolumeFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** The owner, where it is not root. */
  readonly uid?: number;
}

/**
 * Makes a directory hold exactly these files, all at once for whoever reads: they lie in a hidden folder with a
 * timestamp's name, `..data` points to it and is swapped by a rename, and each visible name points through `..data`.
 * This is the layout that kubelet writes and programs watch.
 */
export async function writeAtomically(
  dir: string,
  files: readonly VolumeFile[],
  nowMs: number,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const file of files) checkPath(file.path);
  const current = await readlink(join(dir, "..data")).catch(() => undefined);
  if (current !== undefined && (await holds(join(dir, current), files))) return;
  const stamp = new Date(nowMs)
    .toISOString()
    .slice(0, 19)
    .replaceAll(/[-:]/g, "_")
    .replace("T", "_");
  const fresh = await mkdtemp(join(dir, `..${stamp}.`));
  await chmod(fresh, 0o755);
  for (const file of files) await writeOne(fresh, file);
  await rm(join(dir, "..data_tmp"), { force: true });
  await symlink(basename(fresh), join(dir, "..data_tmp"));
  await rename(join(dir, "..data_tmp"), join(dir, "..data"));
  await linkNames(dir, files);
  if (current !== undefined) await rm(join(dir, current), { recursive: true, force: true });
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const bad = path === "" || path.startsWith("/") || parts.includes("..") || path.startsWith("..");
  if (bad) throw new Error(`invalid path: "${path}" must be relative and stay inside the volume`);
}

async function writeOne(root: string, file: VolumeFile): Promise<void> {
  const path = join(root, file.path);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, file.content, { mode: file.mode });
  // The mode of a write is cut by the process's mask.
  await chmod(path, file.mode);
  if (file.uid !== undefined) await chown(path, file.uid, -1);
}

async function linkNames(dir: string, files: readonly VolumeFile[]): Promise<void> {
  const wanted = new Set(files.map(({ path }) => path.split("/")[0] ?? ""));
  const present = (await readdir(dir)).filter((name) => !name.startsWith(".."));
  for (const name of wanted) {
    if (!present.includes(name)) await symlink(join("..data", name), join(dir, name));
  }
  for (const name of present) if (!wanted.has(name)) await unlink(join(dir, name));
}

async function holds(root: string, files: readonly VolumeFile[]): Promise<boolean> {
  const present = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  if (present.filter((entry) => entry.isFile()).length !== files.length) return false;
  for (const { path, content, mode } of files) {
    const found = await readFile(join(root, path)).catch(() => undefined);
    if (found === undefined || !found.equals(content)) return false;
    // A group that was given rights to the volume may have widened the mode.
    if (((await stat(join(root, path))).mode & mode) !== mode) return false;
  }
  return true;
}
