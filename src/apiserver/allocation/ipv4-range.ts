/** A range of IPv4 addresses written as `10.96.0.0/16`. Its first address and its last are not given out. */
export interface Ipv4Range {
  readonly text: string;
  /** The network's address as a number. */
  readonly base: number;
  /** How many addresses there are, the first and the last included. */
  readonly size: number;
}

export function parseIpv4Range(text: string): Ipv4Range {
  const [address = "", bits = ""] = text.split("/");
  const base = parseIpv4(address);
  const prefix = /^\d{1,2}$/.test(bits) ? Number(bits) : 33;
  if (base === undefined || prefix > 30) {
    throw new Error(
      `Cannot take services from ${JSON.stringify(text)}: it is no IPv4 range of at least 4 addresses`,
    );
  }
  const size = 2 ** (32 - prefix);
  return { text, base: base - (base % size), size };
}

/** Undefined for what is no IPv4 address. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part)))
    return undefined;
  const numbers = parts.map(Number);
  if (numbers.some((number) => number > 255)) return undefined;
  return numbers.reduce((sum, number) => sum * 256 + number, 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

export function covers(range: Ipv4Range, address: number): boolean {
  return address >= range.base && address < range.base + range.size;
}

/** Whether an address of the range is one that is given out. */
export function contains(range: Ipv4Range, address: number): boolean {
  return address > range.base && address < range.base + range.size - 1;
}
