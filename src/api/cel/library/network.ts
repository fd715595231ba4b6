import { type CallCost, fixedCost, traversal } from "#api/cel/cost/call-cost.ts";
import { add, exactly, letterCost, type Range, scale } from "#api/cel/cost/range.ts";
import { costSizeOf } from "#api/cel/equality.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { cidrType, ipType } from "#api/cel/library/opaque.ts";
import { CelObject, EvaluationError, type Value } from "#api/cel/value.ts";
import {
  containsNetwork,
  type IpAddress,
  type IpNetwork,
  parseCidr,
  parseIp,
} from "#api/validation/ip.ts";

class IpValue extends CelObject {
  readonly type = ipType;
  readonly address: IpAddress;

  constructor(address: IpAddress) {
    super();
    this.address = address;
  }

  equals(other: CelObject): boolean {
    if (!(other instanceof IpValue)) return false;
    return (
      other.address.family === this.address.family && other.address.value === this.address.value
    );
  }
}

class CidrValue extends CelObject {
  readonly type = cidrType;
  readonly network: IpNetwork;

  constructor(network: IpNetwork) {
    super();
    this.network = network;
  }

  equals(other: CelObject): boolean {
    if (!(other instanceof CidrValue)) return false;
    const { family, value, prefixLength } = other.network;
    const own = this.network;
    return family === own.family && value === own.value && prefixLength === own.prefixLength;
  }
}

const nominal = { cost: fixedCost(1) };
const parsing = { cost: traversal() };

/** IP addresses and networks. */
export const network: readonly FunctionRow[] = [
  row("ip", "(string) net.IP", readIp, parsing),
  row("isIP", "(string) bool", (text: string) => ipOrProblem(text) instanceof IpValue, parsing),
  row(
    "ip.isCanonical",
    "(string) bool",
    (text: string) => formatIp(readIp(text).address) === text,
    {
      cost: traversal(2 * letterCost),
    },
  ),
  row(
    "family",
    "net.IP.() int",
    ({ address }: IpValue) => (address.family === "IPv4" ? 4 : 6),
    nominal,
  ),
  is("isUnspecified", isUnspecified),
  is("isLoopback", (address) => within(address, "127.0.0.0/8", "::1/128")),
  is("isLinkLocalMulticast", (address) => within(address, "224.0.0.0/24", "ff02::/16")),
  is("isLinkLocalUnicast", isLinkLocal),
  is("isGlobalUnicast", isGlobalUnicast),
  row("string", "(net.IP) string", ({ address }: IpValue) => formatIp(address)),
  row("cidr", "(string) net.CIDR", readCidr, parsing),
  row(
    "isCIDR",
    "(string) bool",
    (text: string) => cidrOrProblem(text) instanceof CidrValue,
    parsing,
  ),
  row(
    "string",
    "(net.CIDR) string",
    ({ network: own }: CidrValue) => `${formatIp(own)}/${own.prefixLength}`,
  ),
  row("ip", "net.CIDR.() net.IP", ({ network: own }: CidrValue) => new IpValue(own), nominal),
  row(
    "prefixLength",
    "net.CIDR.() int",
    ({ network: own }: CidrValue) => own.prefixLength,
    nominal,
  ),
  row("masked", "net.CIDR.() net.CIDR", masked, nominal),
  row(
    "containsIP",
    "net.CIDR.(string) bool",
    (cidr: CidrValue, text: string) => containsIp(cidr, readIp(text)),
    {
      cost: containment(2, true),
    },
  ),
  row("containsIP", "net.CIDR.(net.IP) bool", containsIp, { cost: containment(2, false) }),
  row(
    "containsCIDR",
    "net.CIDR.(string) bool",
    (cidr: CidrValue, text: string) => containsCidr(cidr, readCidr(text)),
    {
      cost: containment(3, true),
    },
  ),
  row("containsCIDR", "net.CIDR.(net.CIDR) bool", containsCidr, { cost: containment(3, false) }),
];

function is(name: string, holds: (address: IpAddress) => boolean): FunctionRow {
  return row(name, "net.IP.() bool", ({ address }: IpValue) => holds(address), nominal);
}

/** The bytes of addresses are compared; a text has to be read before. */
function containment(walks: 2 | 3, reads: boolean): CallCost {
  const bytes: Range = { min: 4, max: 16 };
  const compared = scale(add(bytes, bytes), letterCost);
  const masking = walks === 3 ? add(scale(bytes, letterCost), exactly(1)) : exactly(0);
  return {
    estimate: (call) => {
      const reading = reads ? scale(call.size(1), letterCost) : exactly(0);
      return { cost: add(compared, masking, reading) };
    },
    actual: ([cidr = null, other = null]) => {
      const size = cidr instanceof CidrValue ? Math.ceil(cidr.network.prefixLength / 8) : 1;
      const more = walks === 3 ? Math.ceil(size * letterCost) + 1 : 0;
      const reading = reads ? Math.ceil(costSizeOf(other) * letterCost) : 0;
      return Math.ceil(2 * size * letterCost) + more + reading;
    },
  };
}

function readIp(text: string): IpValue {
  const found = ipOrProblem(text);
  if (found instanceof IpValue) return found;
  throw new EvaluationError(found);
}

function ipOrProblem(text: string): IpValue | string {
  if (text.includes("%") && parseIp(text.replace(/%.*/s, "")) !== undefined) {
    return `IP address ${JSON.stringify(text)} with zone value is not allowed`;
  }
  const address = parseIp(text);
  if (address === undefined) {
    return `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`;
  }
  if (isMapped(address)) return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
  return new IpValue(address);
}

function readCidr(text: string): CidrValue {
  const found = cidrOrProblem(text);
  if (found instanceof CidrValue) return found;
  throw new EvaluationError(`network address parse error during conversion from string: ${found}`);
}

function cidrOrProblem(text: string): CidrValue | string {
  const found = parseCidr(text);
  if (found === undefined) {
    return `network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): no prefix`;
  }
  if (isMapped(found)) return `IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`;
  return new CidrValue(found);
}

function isMapped({ family, value }: IpAddress): boolean {
  return family === "IPv6" && value >> 32n === 0xffffn;
}

function isUnspecified({ value }: IpAddress): boolean {
  return value === 0n;
}

function isLinkLocal(address: IpAddress): boolean {
  return within(address, "169.254.0.0/16", "fe80::/10");
}

function isGlobalUnicast(address: IpAddress): boolean {
  if (isUnspecified(address) || isLinkLocal(address)) return false;
  if (within(address, "127.0.0.0/8", "::1/128")) return false;
  const isBroadcast = address.family === "IPv4" && address.value === 0xffffffffn;
  return !isBroadcast && !within(address, "224.0.0.0/4", "ff00::/8");
}

function within(address: IpAddress, ipv4: string, ipv6: string): boolean {
  const outer = parseCidr(address.family === "IPv4" ? ipv4 : ipv6);
  return outer !== undefined && containsNetwork(outer, asNetwork(address));
}

function asNetwork(address: IpAddress): IpNetwork {
  return { ...address, prefixLength: address.family === "IPv4" ? 32 : 128 };
}

function containsIp({ network: outer }: CidrValue, { address }: IpValue): boolean {
  return containsNetwork(outer, asNetwork(address));
}

function containsCidr(outer: CidrValue, inner: CidrValue): boolean {
  return containsNetwork(outer.network, inner.network);
}

function masked({ network: own }: CidrValue): Value {
  const bits = BigInt((own.family === "IPv4" ? 32 : 128) - own.prefixLength);
  return new CidrValue({ ...own, value: (own.value >> bits) << bits });
}

/** The canonical text: RFC 5952 for IPv6. */
function formatIp({ family, value }: IpAddress): string {
  if (family === "IPv4") {
    return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
  }
  const groups = Array.from({ length: 8 }, (_none, index) => {
    return ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16);
  });
  const runs = groups.join(":").match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const text = groups.join(":");
  const at = indexOfRun(text, longest);
  const before = text.slice(0, at).replace(/:$/, "");
  const after = text.slice(at + longest.length).replace(/^:/, "");
  return `${before}::${after}`;
}

/** The first run of whole groups. */
function indexOfRun(text: string, run: string): number {
  return `:${text}:`.indexOf(`:${run}:`);
}
