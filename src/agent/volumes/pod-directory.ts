import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";

/** Where a pod's files are on its node: kubelet's layout below the data directory. */
export interface PodDirectory {
  readonly root: string;
  readonly hosts: string;
  /** Removed with the pod. */
  readonly logs: string;
  volume(folder: string, name: string): string;
  subPath(volume: string, container: string, index: number): string;
  /** What a container leaves as its last words; one file each start. */
  terminationLog(container: string, attempt: number): string;
}

export function podDirectory(dataDir: string, pod: Pod): PodDirectory {
  const { name, namespace, uid = "" } = pod.metadata;
  const root = join(dataDir, "pods", uid);
  return {
    root,
    hosts: join(root, "etc-hosts"),
    logs: join(dataDir, "logs", "pods", `${namespace}_${name}_${uid}`),
    volume: (folder, volume) => join(root, "volumes", folder, volume),
    subPath: (volume, container, index) =>
      join(root, "volume-subpaths", volume, container, String(index)),
    terminationLog: (container, attempt) => join(root, "containers", container, String(attempt)),
  };
}
