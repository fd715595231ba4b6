import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { readJsonFile } from "#main/json-file.ts";

/** The addresses of one cluster's pods and services. */
export interface AddressRanges {
  readonly podCidr: string;
  readonly serviceCidr: string;
}

/** Clusters that run real containers side by side on one machine; upstream's usual ranges are the first pair. */
const pairsMax = 60;
/** A claim this young counts although its cluster has not written its settings yet. */
const startingMs = 60_000;
const claimsDirectory = "/run/kogge/address-ranges";

/**
 * Finds ranges that no interface of this machine and no other cluster uses. With real containers the choice is
 * claimed in a directory of the machine; a claim whose data directory is gone no longer counts.
 */
export function claimAddressRanges(cluster: {
  readonly id: string;
  readonly dataDir: string;
  readonly shared: boolean;
}): AddressRanges {
  if (!cluster.shared) return rangesAt(0);
  mkdirSync(claimsDirectory, { recursive: true });
  for (let index = 0; index < pairsMax; index += 1) {
    if (!inUse(rangesAt(index)) && claim(index, cluster)) return rangesAt(index);
  }
  throw new Error(
    `Cannot find addresses for pods: ${pairsMax} clusters hold ranges in ${claimsDirectory}; remove those that are gone with \`kogge reset\``,
  );
}

function rangesAt(index: number): AddressRanges {
  return { podCidr: `10.${244 - index}.0.0/16`, serviceCidr: `10.${96 + index}.0.0/16` };
}

function inUse(ranges: AddressRanges): boolean {
  const prefixes = [ranges.podCidr, ranges.serviceCidr].map((cidr) =>
    cidr.replace(/\.0\.0\/16$/, "."),
  );
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .some((address) => prefixes.some((prefix) => address.address.startsWith(prefix)));
}

function claim(index: number, cluster: { readonly id: string; readonly dataDir: string }): boolean {
  const file = join(claimsDirectory, String(index));
  try {
    writeFileSync(file, cluster.dataDir, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = readFileSync(file, "utf8");
  const settings = join(holder, "cluster.json");
  const young = Date.now() - statSync(file).mtimeMs < startingMs;
  const used =
    existsSync(settings) &&
    readJsonFile<AddressRanges>(settings)?.podCidr === rangesAt(index).podCidr;
  const stillHeld = holder !== cluster.dataDir && (young || used);
  if (stillHeld) return false;
  writeFileSync(file, cluster.dataDir);
  return true;
}
