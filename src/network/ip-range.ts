import { invariant } from "#base/invariant.ts";
import { isIPv4 } from "node:net";

/** An IPv4 range such as `10.244.0.0/24`. */
export interface IpRange {
  readonly base: number;
  readonly bits: number;
}

export function parseRange(cidr: string): IpRange {
  const [address = "", bits = ""] = cidr.split("/");
  invariant(isIPv4(address) && Number(bits) <= 32, `"${cidr}" is an IPv4 range`);
  const size = 2 ** (32 - Number(bits));
  return { base: Math.floor(ipNumber(address) / size) * size, bits: Number(bits) };
}

export function contains(range: IpRange, address: string): boolean {
  if (!isIPv4(address)) return false;
  const offset = ipNumber(address) - range.base;
  return offset >= 0 && offset < 2 ** (32 - range.bits);
}

/** The address at `index` of the range. */
export function addressIn(cidr: string, index: number): string {
  const { base, bits } = parseRange(cidr);
  invariant(index < 2 ** (32 - bits), "an address lies in its range");
  const value = base + index;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

function ipNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
