import { rm } from "node:fs/promises";
import { join } from "node:path";
import { removeTable } from "#network/nftables/nftables-datapath.ts";
import { rememberedIn, restoreKernelSettings } from "#network/node/kernel-settings.ts";
import { clusterNames, clusterTables } from "#network/node/names.ts";
import { forgetPods } from "#network/node/other-firewalls.ts";
import { removeDevice } from "#network/node/node-device.ts";
import type { Run } from "#network/run.ts";

export interface CleanUpOptions {
  readonly dataDir: string;
  readonly clusterId: string;
  /** The pods' range on this node. */
  readonly podCidr: string;
  readonly run: Run;
}

/** Where a node's network keeps its files. */
export function networkPaths(dataDir: string): {
  readonly state: string;
  readonly ipam: string;
  readonly cniConf: string;
} {
  const state = join(dataDir, "network");
  return { state, ipam: join(state, "ipam"), cniConf: join(dataDir, "cni", "conf") };
}

/**
 * Removes all that the cluster's network left on this machine, also after a crash; harmless when nothing is there.
 * Kernel settings go back to what they were once no other cluster runs here.
 */
export async function cleanUpNetwork(options: CleanUpOptions): Promise<void> {
  const { dataDir, clusterId, podCidr, run } = options;
  const { device, table } = clusterNames(clusterId);
  const paths = networkPaths(dataDir);
  await forgetPods(table, run);
  await removeTable(table, run);
  await removeDevice({ device, podCidr, run });
  const others = clusterTables(await run("nft", ["list", "tables"]));
  if (others.length === 0) await restoreKernelSettings(rememberedIn);
  await rm(paths.state, { recursive: true, force: true });
  await rm(paths.cniConf, { recursive: true, force: true });
}
