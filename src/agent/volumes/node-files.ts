import { join } from "node:path";
import type { Log } from "#base/log.ts";
import { messageOf } from "#base/log.ts";
import type { AgentOptions } from "#agent/agent-options.ts";
import type { DownwardNode } from "#agent/pods/downward-values.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import type { ImagePuller } from "#agent/pods/image-puller.ts";
import { noPodFiles, type PodFiles } from "#agent/pods/pod-files.ts";
import { createPodTokens } from "#agent/pods/pod-tokens.ts";
import { createDiskPodFiles } from "#agent/volumes/disk-pod-files.ts";
import { NodeDirectories } from "#agent/volumes/node-directories.ts";
import { readPersistentObjects } from "#agent/volumes/persistent-objects.ts";
import { createMountableImages } from "#agent/volumes/volume-images.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

export interface NodeFileParts {
  readonly objects: ReferencedObjects;
  readonly node: DownwardNode;
  readonly puller: ImagePuller;
  readonly recorder: EventRecorder;
  readonly signal: AbortSignal;
}

/** What a node keeps on disk. */
export interface NodeFiles {
  readonly files: PodFiles;
  /** Makes and removes the directories that are this node's volumes, as they come and go in the API. */
  follow(): void;
}

export function openNodeFiles(options: AgentOptions, parts: NodeFileParts): NodeFiles {
  const { dataDir, client, clock, nodeName, runtime, log } = options;
  if (dataDir === undefined) return { files: noPodFiles, follow() {} };
  const { signal } = parts;
  const recordDir = join(dataDir, "directories");
  const directories = new NodeDirectories({ ...options, signal, recordDir });
  const context = {
    ...parts,
    clock,
    directories,
    persistent: readPersistentObjects(client, nodeName),
    images: createMountableImages({ ...parts, runtime }),
    requestToken: createPodTokens(client, clock),
  };
  const { clusterDomain } = options.dns;
  return {
    files: createDiskPodFiles({ ...options, dataDir, clusterDomain, context }),
    follow: () => void followDirectories(directories, log, signal),
  };
}

async function followDirectories(
  directories: NodeDirectories,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  try {
    await directories.follow();
  } catch (error) {
    if (signal.aborted) return;
    log.warn("volumes of this node are not followed", { reason: messageOf(error) });
  }
}
