import type { Pod } from "#api/generated/types.ts";
import type { DownwardNode } from "#agent/pods/downward-values.ts";
import type { DiskSpace } from "#agent/node/machine-usage.ts";
import type { TreeSize } from "#agent/node/tree-size.ts";
import type { PodContainer } from "#agent/pods/pod-containers.ts";
import type { ContainerState, Mount } from "#agent/runtime/container-runtime.ts";

/** What a node keeps on disk for its pods. A node of simulated containers keeps nothing. */
export interface PodFiles {
  readonly logRoot: string;
  readonly seccompDir: string;
  /** The folder of a pod's logs, made when first asked for. */
  logDirectory(pod: Pod): Promise<string>;
  /** Sets up all volumes and returns when they must be looked at again (0: not by time). Throws a VolumeError. */
  setUpVolumes(pod: Pod, podIps: readonly string[]): Promise<number>;
  mounts(request: MountRequest): Promise<readonly Mount[]>;
  /** The text of a file in one of the pod's volumes, at most 64 KiB. */
  readVolumeFile(pod: Pod, volume: string, path: string): Promise<string>;
  /** What a container that ended left to be shown, at most 4 KiB. */
  lastWords(pod: Pod, container: PodContainer, state: ContainerState): Promise<string>;
  /** What the pod takes on disk: its volumes and logs; what containers wrote elsewhere the runtime knows. */
  diskUsage(pod: Pod): Promise<PodDiskUsage>;
  /** Removes the logs and last words of a container that is removed. */
  forget(pod: Pod, name: string, attempt: number): Promise<void>;
  /** Takes away the volumes and the control group of a pod that never runs again; its logs stay to be read. */
  release(pod: Pod): Promise<void>;
  /** Unmounts and removes all that a pod has. */
  remove(pod: Pod): Promise<void>;
  /**
   * Removes what pods left that nobody knows (by uid): they went while no agent ran, or as one died. Tries each, then
   * rejects when some could not be removed.
   */
  removeOrphans(isKnown: (uid: string) => boolean): Promise<void>;
  /** Unmounts what all pods have, once nothing runs any more. */
  unmountAll(): Promise<void>;
}

export interface PodDiskUsage {
  readonly volumes: readonly VolumeUsage[];
  /** By container. */
  readonly logs: ReadonlyMap<string, TreeSize>;
}

export interface VolumeUsage extends DiskSpace {
  readonly name: string;
  /** The claim it shows. */
  readonly claim?: string;
  /** It goes with the pod and lies on the node's disk. */
  readonly isEphemeral: boolean;
}

export interface MountRequest {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly attempt: number;
  readonly environment: ReadonlyMap<string, string>;
  readonly podIps: readonly string[];
  readonly node: DownwardNode;
}

/** The files of a node whose containers are simulated: none. */
export const noPodFiles: PodFiles = {
  logRoot: "",
  seccompDir: "",
  logDirectory: async () => "",
  setUpVolumes: async () => 0,
  mounts: async () => [],
  readVolumeFile: async () => "",
  lastWords: async (_pod, _container, state) => state.message,
  diskUsage: async () => ({ volumes: [], logs: new Map() }),
  forget: async () => {},
  release: async () => {},
  remove: async () => {},
  removeOrphans: async () => {},
  unmountAll: async () => {},
};
