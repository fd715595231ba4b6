import { createHash } from "node:crypto";

/** What belongs to one cluster on a machine is found by these names. */
export interface ClusterNames {
  /** An interface: at most 15 characters. */
  readonly device: string;
  /** The nftables table. */
  readonly table: string;
  readonly cniNetwork: string;
}

const tablePrefix = "kogge_";

export function clusterNames(clusterId: string): ClusterNames {
  const digits = createHash("sha256").update(clusterId).digest("hex").slice(0, 8);
  return {
    device: `kog${digits}`,
    table: `${tablePrefix}${digits}`,
    cniNetwork: `kogge-${digits}`,
  };
}

/** The tables of all clusters in the output of `nft list tables`. */
export function clusterTables(listing: string): readonly string[] {
  return [...listing.matchAll(/^table ip (\S+)$/gm)]
    .flatMap(([, name]) => name ?? [])
    .filter((name) => name.startsWith(tablePrefix));
}
