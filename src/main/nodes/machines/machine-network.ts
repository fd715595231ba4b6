import { existsSync } from "node:fs";
import { clusterNames } from "#network/node/names.ts";
import { runProgram } from "#network/run.ts";

/** The wires between this machine and the machines that it plays: a bridge, and a network namespace for each. */
export interface MachineNetwork {
  /** This machine's address on the bridge: where the others reach the API. */
  readonly address: string;
  /** The words that run a program on machine `index` (from 1). */
  enter(index: number): readonly string[];
}

/** The networks of RFC 2544, which nobody routes: one /24 for each cluster on a machine. */
const networkPrefix = "198.18";
/** The last byte is this machine's address, then the machines'. */
const machinesMax = 200;

/**
 * Makes what is missing of it. What an earlier server left is taken over, with the pods that run there.
 * @throws where there is no free network
 */
export async function ensureMachineNetwork(
  clusterId: string,
  count: number,
): Promise<MachineNetwork> {
  if (count > machinesMax) throw new Error(`Cannot play more than ${machinesMax} machines`);
  const names = namesOf(clusterId);
  const addresses = await addressesByDevice();
  const network = networkOf(addresses.get(names.bridge)) ?? freeNetwork(addresses);
  await ensureBridge(names, network, addresses);
  await ensureWayOut(names, network);
  for (let index = 1; index <= count; index += 1) await ensureMachine(names, network, index);
  return {
    address: `${network}.1`,
    enter: (index) => ["nsenter", `--net=/run/netns/${names.space(index)}`],
  };
}

/** Takes all of it away; nothing may run there any more. */
export async function removeMachineNetwork(clusterId: string): Promise<void> {
  const names = namesOf(clusterId);
  const spaces = (await runProgram("ip", ["netns", "list"])).split("\n");
  for (const line of spaces) {
    const [space = ""] = line.split(" ");
    if (space.startsWith(names.spacePrefix)) await runProgram("ip", ["netns", "delete", space]);
  }
  if (hasDevice(names.bridge)) await ip(`link delete ${names.bridge}`);
  await runProgram(
    "nft",
    ["-f", "-"],
    `add table ip ${names.table}\ndelete table ip ${names.table}\n`,
  );
}

interface MachineNames {
  readonly bridge: string;
  readonly table: string;
  readonly spacePrefix: string;
  space(index: number): string;
  /** This machine's end of the wire: at most 15 characters. */
  wire(index: number): string;
}

function namesOf(clusterId: string): MachineNames {
  const { device, cniNetwork } = clusterNames(clusterId);
  const digits = device.slice("kog".length);
  return {
    bridge: `kob${digits}`,
    table: `${cniNetwork.replace("-", "_")}_machines`,
    spacePrefix: `${cniNetwork}-`,
    space: (index) => `${cniNetwork}-${index}`,
    wire: (index) => `ko${index}w${digits}`.slice(0, 15),
  };
}

/** Node's own list leaves out what has no carrier, as a bridge before its first wire and after its last. */
function hasDevice(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

/** The IPv4 addresses of this machine. */
async function addressesByDevice(): Promise<ReadonlyMap<string, readonly string[]>> {
  const listed = JSON.parse(await runProgram("ip", ["-j", "-4", "address"])) as readonly {
    readonly ifname: string;
    readonly addr_info: readonly { readonly local: string }[];
  }[];
  return new Map(
    listed.map(({ ifname, addr_info: infos }) => [ifname, infos.map(({ local }) => local)]),
  );
}

/** The first three bytes of the first address. */
function networkOf([address]: readonly string[] = []): string | undefined {
  return address?.replace(/\.\d+$/, "");
}

function freeNetwork(addresses: ReadonlyMap<string, readonly string[]>): string {
  const used = new Set([...addresses.values()].flat().map((address) => networkOf([address])));
  for (let third = 0; third < 256; third += 1) {
    const network = `${networkPrefix}.${third}`;
    if (!used.has(network)) return network;
  }
  throw new Error(
    `Cannot play several machines: all networks of ${networkPrefix}.0.0/16 are taken`,
  );
}

async function ensureBridge(
  { bridge }: MachineNames,
  network: string,
  addresses: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  if (networkOf(addresses.get(bridge)) === network) return;
  if (hasDevice(bridge)) await ip(`link delete ${bridge}`);
  await ip(`link add ${bridge} type bridge`);
  await ip(`address add ${network}.1/24 dev ${bridge}`);
  await ip(`link set ${bridge} up`);
}

/** What the machines send to the outside leaves with this machine's address: images are pulled from there. */
async function ensureWayOut({ table, bridge }: MachineNames, network: string): Promise<void> {
  await runProgram(
    "nft",
    ["-f", "-"],
    `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${network}.0/24 oifname != "${bridge}" oifname != "kog*" masquerade
  }
}
`,
  );
}

async function ensureMachine(names: MachineNames, network: string, index: number): Promise<void> {
  const [space, wire] = [names.space(index), names.wire(index)];
  const spaces = await runProgram("ip", ["netns", "list"]);
  const known = spaces.split("\n").some((line) => line.split(" ")[0] === space);
  if (known && hasDevice(wire)) return;
  if (known) await ip(`netns delete ${space}`);
  await ip(`netns add ${space}`);
  await ip(`link add ${wire} type veth peer name eth0 netns ${space}`);
  await ip(`link set ${wire} master ${names.bridge} up`);
  await ip(`-n ${space} address add ${network}.${index + 1}/24 dev eth0`);
  await ip(`-n ${space} link set lo up`);
  await ip(`-n ${space} link set eth0 up`);
  await ip(`-n ${space} route add default via ${network}.1`);
}

async function ip(words: string): Promise<void> {
  await runProgram("ip", words.split(" "));
}
