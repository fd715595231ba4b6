import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

export interface TreeSize {
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

const blockBytes = 512;

/**
 * What a folder and all below it take on its file system; other file systems that are mounted inside do not count, a
 * file with several names counts once. What is gone by the time it is looked at counts as nothing.
 */
export async function treeSize(root: string): Promise<TreeSize> {
  const info = await lstat(root).catch(() => undefined);
  if (info === undefined) return { usedBytes: 0, inodesUsed: 0 };
  const seen = new Set<number>();
  const waiting = [root];
  let usedBytes = info.blocks * blockBytes;
  let inodesUsed = 1;
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const dir = folder;
    const names = await readdir(dir).catch(() => []);
    for (let from = 0; from < names.length; from += atOnce) {
      const paths = names.slice(from, from + atOnce).map((name) => join(dir, name));
      const infos = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
      for (const [index, entry] of infos.entries()) {
        if (entry === undefined || entry.dev !== info.dev) continue;
        if (entry.nlink > 1 && !entry.isDirectory()) {
          if (seen.has(entry.ino)) continue;
          seen.add(entry.ino);
        }
        usedBytes += entry.blocks * blockBytes;
        inodesUsed += 1;
        const path = paths[index];
        if (entry.isDirectory() && path !== undefined) waiting.push(path);
      }
    }
  }
  return { usedBytes, inodesUsed };
}

const atOnce = 64;
