import { watch } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";

/** Within two seconds (the window that needs no privilege), so long some process waited for memory. */
const trigger = "some 50000 2000000\0";

/**
 * Calls back when the machine's processes begin to wait for memory: the kernel's pressure-stall information (psi(7)),
 * whose triggers on files of control groups, version 2, tell inotify. Without it nothing ever calls back, and whoever
 * asks must look at the clock instead; `isWatched` says which.
 */
export async function watchMemoryStalls(
  onStall: () => void,
  mount = cgroupMount,
): Promise<Disposable & { readonly isWatched: boolean }> {
  const file = join(mount, isUnified(mount) ? "" : "unified", "memory.pressure");
  try {
    const handle = await open(file, "r+");
    await handle.write(trigger);
    const watcher = watch(file, { persistent: false }, onStall);
    watcher.on("error", () => {});
    return {
      isWatched: true,
      [Symbol.dispose]() {
        watcher.close();
        void handle.close();
      },
    };
  } catch {
    // A kernel without PSI, or one that lets us set no trigger: any refusal means the same.
    return { isWatched: false, [Symbol.dispose]() {} };
  }
}
