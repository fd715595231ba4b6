import { invariant } from "#base/invariant.ts";

/** The address at `index` of an IPv4 range such as `10.96.0.0/16`. */
export function addressAt(cidr: string, index: number): string {
  const { base, size } = parse(cidr);
  invariant(index < size, "an address lies in its range");
  return dotted(base + index);
}

/** The first usable address: the API server's in a service range, the bridge's in a node's range. */
export function firstAddress(cidr: string): string {
  return addressAt(cidr, 1);
}

/** The range of the node at `index`: a /24 of the cluster's /16; beyond that the ranges go on upwards. */
export function nodeRange(podCidr: string, index: number): string {
  return `${dotted(parse(podCidr).base + index * 256)}/24`;
}

function parse(cidr: string): { readonly base: number; readonly size: number } {
  const [address = "", bits = ""] = cidr.split("/");
  const base = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { base, size: 2 ** (32 - Number(bits)) };
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
