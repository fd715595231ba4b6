/** An IP address as its number and family; undefined for what is none (leading zeros and zones are none). */
export interface IpAddress {
  readonly family: "IPv4" | "IPv6";
  readonly value: bigint;
}

export interface IpNetwork extends IpAddress {
  readonly prefixLength: number;
}

export function parseIp(text: string): IpAddress | undefined {
  const value = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (value === undefined) return undefined;
  return { family: text.includes(":") ? "IPv6" : "IPv4", value };
}

export function parseCidr(text: string): IpNetwork | undefined {
  const [address = "", length = "", ...rest] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefixLength = Number(length);
  return prefixLength > bitsOf(ip) ? undefined : { ...ip, prefixLength };
}

/** Whether the bits behind the prefix are all zero, as in `10.0.0.0/8`. */
export function isNetworkAddress(network: IpNetwork): boolean {
  const hostBits = BigInt(bitsOf(network) - network.prefixLength);
  return network.value === (network.value >> hostBits) << hostBits;
}

/** Whether `outer` holds all addresses of `inner`. */
export function containsNetwork(outer: IpNetwork, inner: IpNetwork): boolean {
  const hostBits = BigInt(bitsOf(outer) - outer.prefixLength);
  return (
    outer.family === inner.family &&
    inner.prefixLength >= outer.prefixLength &&
    outer.value >> hostBits === inner.value >> hostBits
  );
}

export function ipProblems(text: string): readonly string[] {
  return parseIp(text) === undefined
    ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    : [];
}

export function cidrProblems(text: string): readonly string[] {
  return parseCidr(text) === undefined
    ? ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    : [];
}

/** Addresses that no endpoint or external IP may have: they mean something on the node itself. */
export function nonSpecialIpProblems(text: string): readonly string[] {
  const ip = parseIp(text);
  if (ip === undefined) return ipProblems(text);
  return specialRanges
    .filter(([range]) => {
      const network = parseCidr(range);
      return network && containsNetwork(network, { ...ip, prefixLength: bitsOf(ip) });
    })
    .map(([range, name]) =>
      name === "unspecified"
        ? `may not be unspecified (${text})`
        : `may not be in the ${name} range (${range})`,
    );
}

const specialRanges: readonly (readonly [range: string, name: string])[] = [
  ["0.0.0.0/32", "unspecified"],
  ["::/128", "unspecified"],
  ["127.0.0.0/8", "loopback"],
  ["::1/128", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["fe80::/10", "link-local"],
  ["224.0.0.0/24", "link-local multicast"],
  ["ff02::/16", "link-local multicast"],
];

function bitsOf(ip: IpAddress): number {
  return ip.family === "IPv4" ? 32 : 128;
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = groupsOf(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of one side of "::"; an IPv4 tail counts as two. */
function groupsOf(text: string, last: boolean): bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (part.includes(".") && last && index === parts.length - 1) {
      const tail = parseIpv4(part);
      if (tail === undefined) return undefined;
      groups.push(tail >> 16n, tail & 0xffffn);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}
