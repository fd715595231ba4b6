import { watch } from "node:fs";
import { basename, dirname } from "node:path";

export interface FileWatch {
  /** The file may have another content now. */
  readonly changed: () => void;
  /** Changes are not seen, or no longer. */
  readonly failed: (error: unknown) => void;
}

/** Tells of changes of a file. The folder is watched: editors, and volumes of pods, put a new file in place. */
export function watchFile(file: string, { changed, failed }: FileWatch): Disposable {
  const name = basename(file);
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_, which) => {
      if (which === null || which === name || which.startsWith("..")) changed();
    });
    watcher.on("error", failed);
    return { [Symbol.dispose]: () => watcher.close() };
  } catch (error) {
    failed(error);
    return { [Symbol.dispose]: () => {} };
  }
}
