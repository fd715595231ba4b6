import { configMap, downwardAPI, projected, secret } from "#agent/volumes/api-volumes.ts";
import { emptyDir } from "#agent/volumes/empty-dir.ts";
import { hostPath } from "#agent/volumes/host-path.ts";
import { imageVolume } from "#agent/volumes/image-volume.ts";
import { localVolume } from "#agent/volumes/local-volume.ts";
import { nodeDirectory } from "#agent/volumes/node-directory.ts";
import type { VolumePlugin } from "#agent/volumes/volume-plugin.ts";

/** All kinds of volumes that this node can set up; the first that supports a volume takes it. */
export const volumePlugins: readonly VolumePlugin[] = [
  emptyDir,
  configMap,
  secret,
  projected,
  downwardAPI,
  nodeDirectory,
  hostPath,
  localVolume,
  imageVolume,
];
