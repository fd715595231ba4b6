/** The nodes' ranges of one cluster range, handed out one after the other. IPv4. */
export interface RangePool {
  /** A range that nobody has, beginning after the one that was handed out last; undefined when all are taken. */
  allocate(): string | undefined;
  /** Notes that somebody has the range. A range outside of the cluster's is nobody's business here. */
  occupy(cidr: string): void;
  release(cidr: string): void;
}

/** Upstream's `--node-cidr-mask-size` for IPv4. */
const nodeBits = 24;

export function createRangePool(clusterCidr: string): RangePool {
  const { base, bits } = parseRange(clusterCidr);
  const ofNode = Math.max(nodeBits, bits);
  const sizeOfNode = 2 ** (32 - ofNode);
  const count = 2 ** (ofNode - bits);
  const taken = new Set<number>();
  let next = 0;

  const mark = (cidr: string, note: (index: number) => void): void => {
    const range = parseRange(cidr);
    const first = Math.floor((range.base - base) / sizeOfNode);
    const last = Math.floor((range.base + 2 ** (32 - range.bits) - 1 - base) / sizeOfNode);
    for (let index = Math.max(0, first); index <= Math.min(last, count - 1); index += 1)
      note(index);
  };

  return {
    allocate() {
      for (let tried = 0; tried < count; tried += 1) {
        const index = (next + tried) % count;
        if (taken.has(index)) continue;
        taken.add(index);
        next = (index + 1) % count;
        return `${dotted(base + index * sizeOfNode)}/${ofNode}`;
      }
      return undefined;
    },
    occupy: (cidr) => mark(cidr, (index) => void taken.add(index)),
    release: (cidr) => mark(cidr, (index) => void taken.delete(index)),
  };
}

function parseRange(cidr: string): { readonly base: number; readonly bits: number } {
  const [address = "", text = "32"] = cidr.split("/");
  const bits = Number(text);
  const size = 2 ** (32 - bits);
  const whole = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { base: Math.floor(whole / size) * size, bits };
}

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
