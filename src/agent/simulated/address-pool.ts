/** The IPv4 addresses of a range that pods may have: all but the network's own, its first and its last. */
export class AddressPool {
  readonly #base: number;
  readonly #count: number;
  readonly #taken = new Set<number>();
  #next = 2;

  /** `cidr` like `10.244.3.0/24`. */
  constructor(cidr: string) {
    const [address = "", prefix = "32"] = cidr.split("/");
    const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#count = 2 ** (32 - Number(prefix));
    this.#base = number - (number % this.#count);
  }

  /** Goes round, so that an address that was given back is not given out again at once. */
  take(): string {
    for (let tried = 0; tried < this.#count; tried += 1) {
      const offset = this.#next;
      this.#next = this.#next + 1 >= this.#count - 1 ? 2 : this.#next + 1;
      if (this.#taken.has(offset) || offset >= this.#count - 1) continue;
      this.#taken.add(offset);
      return format(this.#base + offset);
    }
    throw new Error("Cannot give the pod an address: the node's range is used up");
  }

  give(address: string): void {
    const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    this.#taken.delete(number - this.#base);
  }
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
