import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DataDirectory } from "#main/data-directory.ts";
import { readSettings } from "#main/settings.ts";

/** Ends what a server that did not end in order left: containers, containerd, mounts, the pod network. */
export async function cleanLeftovers(directory: DataDirectory): Promise<void> {
  const settings = readSettings(directory);
  if (settings?.runtime !== "containerd" || !existsSync(join(directory.root, "containerd"))) return;
  const { cleanContainerdNode } = await import("#main/nodes/containerd-node.ts");
  await cleanContainerdNode(directory, settings);
}
