import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { DataDirectory } from "#main/data-directory.ts";
import { clearRunning, readLastRunning, readRunning } from "#main/running-file.ts";
import { readSettings } from "#main/settings.ts";

/** Ends what a server that did not end in order left: containers, containerd, mounts, the pod network. */
export async function cleanLeftovers(directory: DataDirectory): Promise<void> {
  const settings = readSettings(directory);
  if (settings?.runtime !== "containerd") return;
  await cleanMachines(directory, settings.id);
  if (!existsSync(join(directory.root, "containerd"))) return;
  const { cleanContainerdNode } = await import("#main/nodes/containerd-node.ts");
  await cleanContainerdNode(directory, settings);
}

/** The same for the machines that were played beside this one. */
async function cleanMachines(cluster: DataDirectory, clusterId: string): Promise<void> {
  if (!existsSync(join(cluster.root, "machines"))) return;
  const { machineDirectories } = await import("#main/nodes/machines/machine-directories.ts");
  const { removeMachineNetwork } = await import("#main/nodes/machines/machine-network.ts");
  for (const machine of machineDirectories(cluster)) {
    const running = readRunning(machine);
    // Its containers are ended below; an agent that is still there would start them again.
    if (running !== undefined) process.kill(running.pid, "SIGKILL");
    if (readLastRunning(machine) !== undefined) await cleanLeftovers(machine);
    clearRunning(machine);
  }
  await removeMachineNetwork(clusterId);
}
