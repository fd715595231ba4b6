import type { AllocationResult, Node } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { invariant } from "#base/invariant.ts";
import { allocationFor } from "#scheduler/devices/allocation-result.ts";
import type { DevicesInUse } from "#scheduler/devices/allocated-devices.ts";
import { Ledger } from "#scheduler/devices/ledger.ts";
import type { Pool, PublishedDevice, PublishedPools } from "#scheduler/devices/pools.ts";
import type { Selectors } from "#scheduler/devices/selectors.ts";
import { resultsMax, type ClaimWishes, type Wish } from "#scheduler/devices/wishes.ts";

export interface AllocatorParts {
  readonly claims: readonly ClaimWishes[];
  readonly pools: PublishedPools;
  readonly inUse: DevicesInUse;
  readonly selectors: Selectors;
  /** A name for a part of a device. */
  readonly newShareId: () => string;
}

export type Allocated =
  /** In the order of the claims. */
  | { readonly kind: "allocated"; readonly allocations: readonly AllocationResult[] }
  /** Upstream's text. */
  | { readonly kind: "none"; readonly reason: string };

/**
 * Devices of the node for all claims of a pod, or none. Devices are tried in a fixed order (pools and slices by name,
 * devices as published), and the first that do for all are taken; a choice that leaves nothing for a later request is
 * taken back. Changes nothing.
 */
export function allocate(parts: AllocatorParts, node: Node): Allocated {
  try {
    const search = new Search(parts, node);
    if (!search.run()) return { kind: "none", reason: search.whyNone() };
    const allocations = parts.claims.map(({ claim, requests }, index) =>
      allocationFor(
        { claim, requests, choices: search.ledger.choicesOf(index) },
        { nodeName: nameOf(node), newShareId: parts.newShareId },
      ),
    );
    return { kind: "allocated", allocations };
  } catch (error) {
    if (error instanceof Hopeless) return { kind: "none", reason: error.message };
    throw error;
  }
}

/** The search ends without a result, whatever else could be tried. */
class Hopeless extends Error {}

/** Devices tried for one pod on one node at most; upstream stops after ten seconds. */
const triesMax = 100_000;

class Search {
  readonly ledger: Ledger;
  readonly #parts: AllocatorParts;
  readonly #node: Node;
  readonly #pools: readonly Pool[];
  /** In the order in which they are tried. */
  readonly #devices: readonly PublishedDevice[];
  #tries = 0;

  constructor(parts: AllocatorParts, node: Node) {
    this.#parts = parts;
    this.#node = node;
    this.#pools = parts.pools.seenFrom(node);
    const complete = this.#pools.filter(({ state }) => state === "complete");
    this.#devices =
      complete.length === 1
        ? (complete[0]?.devices ?? [])
        : complete.flatMap((pool) => pool.devices);
    this.ledger = new Ledger(parts.claims, { pools: this.#pools, inUse: parts.inUse });
  }

  run(): boolean {
    return this.#forClaim(0);
  }

  whyNone(): string {
    return this.#pools.some(({ state }) => state === "invalid")
      ? "invalid resource pools were encountered"
      : "cannot allocate all claims";
  }

  #forClaim(claim: number): boolean {
    return claim === this.#parts.claims.length || this.#forRequest(claim, 0);
  }

  #forRequest(claim: number, request: number): boolean {
    const wishes = this.#parts.claims[claim]?.requests[request];
    if (wishes === undefined) return this.#forClaim(claim + 1);
    return wishes.some((wish) => {
      const devices = wish.count === "all" ? this.#allMeantBy(claim, wish) : this.#devices;
      const count = wish.count === "all" ? devices.length : wish.count;
      if (count === 0 || count > devices.length) return false;
      if (this.ledger.choicesOf(claim).length + count > resultsMax) return false;
      return this.#take({ claim, request, wish, devices }, { count, from: 0 });
    });
  }

  /** Takes so many of the devices from there on, and then what the later requests need. */
  #take(
    wanted: {
      readonly claim: number;
      readonly request: number;
      readonly wish: Wish;
      readonly devices: readonly PublishedDevice[];
    },
    { count, from }: { readonly count: number; readonly from: number },
  ): boolean {
    const { claim, request, wish, devices } = wanted;
    if (count === 0) return this.#forRequest(claim, request + 1);
    for (let index = from; index + count <= devices.length; index++) {
      const device = devices[index];
      if (device === undefined || !this.#try(claim, wish, device)) continue;
      if (this.#take(wanted, { count: count - 1, from: index + 1 })) return true;
      this.ledger.giveBack(claim);
    }
    return false;
  }

  #try(claim: number, wish: Wish, device: PublishedDevice): boolean {
    if (++this.#tries > triesMax) {
      const name = nameOf(this.#node);
      throw new Hopeless(`node ${name}: timed out trying to allocate devices`);
    }
    if (wish.count !== "all" && !this.#isMeant(claim, wish, device)) return false;
    return this.ledger.take(claim, wish, device);
  }

  #allMeantBy(claim: number, wish: Wish): readonly PublishedDevice[] {
    this.#expectWholePools(claim, wish);
    return this.#devices.filter((device) => this.#isMeant(claim, wish, device));
  }

  /** Nobody can say what all devices are while a driver is about to publish them. */
  #expectWholePools(claim: number, wish: Wish): void {
    const broken = this.#pools.find(({ state }) => state !== "complete");
    if (broken === undefined) return;
    const what = broken.state === "invalid" ? "invalid" : "being updated";
    const pool = `resource pool ${broken.name} is currently ${what}`;
    const { key } = this.#claimOf(claim);
    throw new Hopeless(`claim ${key}, request ${wish.name}: asks for all devices, but ${pool}`);
  }

  #isMeant(claim: number, wish: Wish, device: PublishedDevice): boolean {
    const answer = this.#parts.selectors.means(wish, device, this.#claimOf(claim).key);
    if (typeof answer === "boolean") return answer;
    throw new Hopeless(answer);
  }

  #claimOf(index: number): ClaimWishes {
    const claim = this.#parts.claims[index];
    invariant(claim !== undefined, "a request is of a claim");
    return claim;
  }
}
