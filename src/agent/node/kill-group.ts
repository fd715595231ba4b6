import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";

/** A process that forks while its group is being killed is met in one of the next rounds. */
const roundsMax = 100;

/** Kills every process of the control group `path` (`/kogge-…`) and of those below it, without asking the runtime. */
export async function killGroup(path: string, mount = cgroupMount): Promise<void> {
  if (isUnified(mount)) {
    await writeFile(join(mount, path, "cgroup.kill"), "1").catch(ignoreGone);
    return;
  }
  const killed = new Set<number>();
  for (let round = 0; round < roundsMax; round += 1) {
    const found = await processesBelow(join(mount, "pids", path));
    const fresh = found.filter((pid) => !killed.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      kill(pid);
      killed.add(pid);
    }
  }
}

async function processesBelow(dir: string): Promise<readonly number[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
  const text = await readFile(join(dir, "cgroup.procs"), "utf8").catch(() => "");
  const own = text.split("\n").map(Number).filter(Boolean);
  return [...own, ...(await Promise.all(below.map(processesBelow))).flat()];
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    ignoreGone(error);
  }
}

function ignoreGone(error: unknown): void {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (!["ESRCH", "ENOENT", "ENODEV"].includes(code)) throw error;
}
