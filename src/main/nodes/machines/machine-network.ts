import { networkInterfaces } from "node:os";
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
  const network = addressOn(names.bridge) ?? freeNetwork();
  await ensureBridge(names, network);
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
  if (names.bridge in networkInterfaces()) await ip(`link delete ${names.bridge}`);
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

/** The first three bytes of the bridge's network. */
function addressOn(bridge: string): string | undefined {
  const address = networkInterfaces()[bridge]?.find(({ family }) => family === "IPv4")?.address;
  return address?.replace(/\.\d+$/, "");
}

function freeNetwork(): string {
  const used = new Set(
    Object.values(networkInterfaces()).flatMap((all = []) =>
      all.map(({ address }) => address.replace(/\.\d+$/, "")),
    ),
  );
  for (let third = 0; third < 256; third += 1) {
    const network = `${networkPrefix}.${third}`;
    if (!used.has(network)) return network;
  }
  throw new Error(
    `Cannot play several machines: all networks of ${networkPrefix}.0.0/16 are taken`,
  );
}

async function ensureBridge({ bridge }: MachineNames, network: string): Promise<void> {
  if (addressOn(bridge) === network) return;
  if (bridge in networkInterfaces()) await ip(`link delete ${bridge}`);
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
  if (known && wire in networkInterfaces()) return;
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
