import { messageOf } from "#base/log.ts";
import type { SimulatedNodesFile } from "#agent/simulated/node-groups.ts";
import { readSimulatedNodes } from "#agent/simulated/read-node-groups.ts";
import { readYaml } from "#main/yaml-file.ts";

/** The groups of a `--simulated-nodes` file. */
export function readSimulatedNodesFile(file: string): SimulatedNodesFile {
  try {
    return readSimulatedNodes(readYaml(file));
  } catch (cause) {
    throw new Error(`Cannot use --simulated-nodes ${file}: ${messageOf(cause)}`, { cause });
  }
}
