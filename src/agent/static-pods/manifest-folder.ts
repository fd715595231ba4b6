import { watch } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { type Log, messageOf } from "#base/log.ts";
import { readManifest, type ManifestContext } from "#agent/static-pods/read-manifest.ts";

export interface ManifestFolderParts extends Omit<ManifestContext, "source"> {
  readonly path: string;
  readonly log: Log;
  /** Called with the pods of all files that can be read, whenever they may have changed. */
  readonly onPods: (pods: readonly Pod[]) => void;
}

/** Larger files are no manifests. */
const manifestBytesMax = 1024 * 1024;

/** Reads the pods of a folder's files, and again when one changes. Names that begin with a dot are passed over. */
export async function followManifests(parts: ManifestFolderParts): Promise<Disposable> {
  await mkdir(parts.path, { recursive: true });
  let isReading = false;
  let readAgain = false;
  let isEnded = false;
  const read = async (): Promise<void> => {
    readAgain = true;
    if (isReading) return;
    isReading = true;
    while (readAgain && !isEnded) {
      readAgain = false;
      parts.onPods(await readAll(parts));
    }
    isReading = false;
  };
  const watcher = watch(parts.path, { persistent: false }, () => void read());
  watcher.on("error", (error) =>
    parts.log.error("folder of static pods not watched", { reason: messageOf(error) }),
  );
  await read();
  return {
    [Symbol.dispose]() {
      isEnded = true;
      watcher.close();
    },
  };
}

async function readAll(parts: ManifestFolderParts): Promise<readonly Pod[]> {
  const names = (await readdir(parts.path).catch(() => [])).filter((name) => !name.startsWith("."));
  const pods = await Promise.all(names.toSorted().map((name) => readOne(parts, name)));
  return pods.filter((pod) => pod !== undefined);
}

/** A file that is no pod, or is half written, is told of in the log; its next change is another try. */
async function readOne(parts: ManifestFolderParts, name: string): Promise<Pod | undefined> {
  const path = join(parts.path, name);
  try {
    const info = await stat(path);
    if (!info.isFile()) return undefined;
    if (info.size > manifestBytesMax) throw new Error("it is too large");
    return readManifest(await readFile(path), { ...parts, source: path });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") {
      parts.log.warn("static pod not read", { file: path, reason: messageOf(error) });
    }
    return undefined;
  }
}
