import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const attemptsMax = 10;
const pauseMs = 20;
const root = "/sys/fs/cgroup";

/**
 * Removes the empty control groups at and below `path` (`/kogge-…`) in every hierarchy, version 1 and 2. One that
 * still has processes stays.
 */
export async function removeControlGroup(path: string): Promise<void> {
  const hierarchies = await readdir(root, { withFileTypes: true }).catch(() => []);
  const roots = hierarchies.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const hierarchy of ["", ...roots]) await removeEmpty(join(root, hierarchy, path));
}

async function removeEmpty(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(join(dir, entry.name));
  await removeWhenIdle(dir);
}

/** Processes that are just ending hold their group for a moment. */
async function removeWhenIdle(dir: string): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    try {
      return await rmdir(dir);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
    }
    await delay(pauseMs);
  }
}
