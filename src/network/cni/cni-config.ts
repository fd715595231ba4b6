import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addressIn } from "#network/ip-range.ts";

export interface CniOptions {
  /** The network's name: unique on the machine. */
  readonly name: string;
  /** The pods' range on this node; its first address is the gateway. */
  readonly podCidr: string;
  readonly mtu: number;
  /** Where the addresses in use are kept, one file each. */
  readonly ipamDir: string;
}

/**
 * The CNI configuration list of one node: each pod hangs on the host by a cable of its own (`ptp`), and everything
 * that leaves it is routed (docs/decisions/0003-routed-pods.md). Masquerading and host ports are the datapath's.
 */
export function cniConfig({ name, podCidr, mtu, ipamDir }: CniOptions): object {
  const gateway = addressIn(podCidr, 1);
  return {
    cniVersion: "1.0.0",
    name,
    plugins: [
      {
        type: "ptp",
        ipMasq: false,
        mtu,
        ipam: {
          type: "host-local",
          dataDir: ipamDir,
          ranges: [[{ subnet: podCidr, gateway }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  };
}

/** Writes the configuration where containerd looks for it; it notices, and a reader never sees half a file. */
export async function writeCniConfig(directory: string, options: CniOptions): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, "10-kogge.conflist");
  const unfinished = `${file}.new`;
  await writeFile(unfinished, `${JSON.stringify(cniConfig(options), undefined, 2)}\n`);
  await rename(unfinished, file);
}
