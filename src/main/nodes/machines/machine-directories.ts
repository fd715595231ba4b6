import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { dataDirectory, type DataDirectory } from "#main/data-directory.ts";

/** The machines that a cluster has played, whether they run or not. */
export function machineDirectories(cluster: DataDirectory): readonly DataDirectory[] {
  const folder = join(cluster.root, "machines");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => dataDirectory(join(folder, name)));
}

export function machineDirectory(cluster: DataDirectory, name: string): DataDirectory {
  return dataDirectory(join(cluster.root, "machines", name));
}
