import { randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import type { ServerFlags } from "#cli/server-flags.ts";
import { claimAddressRanges } from "#main/address-ranges.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { readJsonFile, writeJsonFile } from "#main/json-file.ts";

/** Choices made at a cluster's first start and kept in its data directory. */
export interface ClusterSettings {
  readonly id: string;
  readonly port: number;
  readonly runtime: "containerd" | "simulated";
  readonly nodes: number;
  /** The pods' addresses, a /16 of which each node gets a /24. */
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly store: string;
  readonly flags?: ServerFlags;
}

export interface WantedSettings {
  readonly port?: number;
  readonly runtime: "containerd" | "simulated";
  readonly nodes?: number;
  readonly store?: string;
  /** Flags that are not given stay as they were. */
  readonly flags?: ServerFlags;
}

const usualPort = 6443;

/** The kept settings with what the caller wants changed; written when anything is new. */
export async function settleSettings(
  directory: DataDirectory,
  wanted: WantedSettings,
): Promise<ClusterSettings> {
  const kept = readSettings(directory);
  if (isJoinedNode(kept)) {
    throw new Error(
      `Cannot start a cluster on ${directory.root}: it belongs to a node of another's; choose another --data-dir`,
    );
  }
  const id = kept?.id ?? randomUUID();
  const ranges =
    kept ??
    claimAddressRanges({ id, dataDir: directory.root, shared: wanted.runtime === "containerd" });
  const settings: ClusterSettings = {
    id,
    port: wanted.port ?? kept?.port ?? (await choosePort()),
    runtime: wanted.runtime,
    nodes: wanted.nodes ?? kept?.nodes ?? 1,
    podCidr: ranges.podCidr,
    serviceCidr: ranges.serviceCidr,
    store: wanted.store ?? kept?.store ?? "lmdb",
    flags: { ...kept?.flags, ...wanted.flags },
  };
  if (JSON.stringify(settings) !== JSON.stringify(kept))
    writeJsonFile(directory.settings, settings);
  return settings;
}

/** Whether a data directory is that of `kogge agent`: it holds a node, and no cluster. */
export function isJoinedNode(settings: ClusterSettings | undefined): boolean {
  return settings?.store === joinedStore;
}

/** Stands in a node's settings where a cluster's have their store. */
export const joinedStore = "joined";

export function readSettings(directory: DataDirectory): ClusterSettings | undefined {
  const settings = readJsonFile<Partial<ClusterSettings> | null>(directory.settings);
  if (settings === undefined || isWhole(settings)) return settings;
  throw new Error(
    `Cannot use ${directory.settings}: it is not what a cluster's settings look like`,
  );
}

function isWhole(settings: Partial<ClusterSettings> | null): settings is ClusterSettings {
  const { id, podCidr, serviceCidr, store, runtime, port, nodes } = settings ?? {};
  const texts = [id, podCidr, serviceCidr, store, runtime];
  return (
    texts.every((text) => typeof text === "string" && text !== "") &&
    [port, nodes].every((number) => Number.isInteger(number))
  );
}

/** The machine's own addresses that others may reach it by, IPv4 first; never empty. */
export function machineAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter(
    (address) => !address.internal && !address.address.startsWith("fe80:"),
  );
  const ordered = outside.toSorted((left, right) => left.family.localeCompare(right.family));
  return ordered.length > 0 ? ordered.map((address) => address.address) : ["127.0.0.1"];
}

async function choosePort(): Promise<number> {
  return (await isFree(usualPort)) ? usualPort : freePort();
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "0.0.0.0");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("Cannot find a free port");
  return address.port;
}
