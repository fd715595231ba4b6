import { join } from "node:path";
import { unmountBelow } from "#agent/containerd/containerd-clean.ts";
import { removeControlGroup } from "#agent/node/control-groups.ts";

/**
 * Takes away the mounts and control groups that an agent which died left behind, once its containers are gone: what
 * `Agent.stopAll` does for one that lives. Both options are those the agent was given.
 */
export async function cleanNode(options: {
  readonly dataDir: string;
  readonly cgroupRoot?: string;
}): Promise<void> {
  await unmountBelow([join(options.dataDir, "pods")]);
  if (options.cgroupRoot) await removeControlGroup(options.cgroupRoot);
}
