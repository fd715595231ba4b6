import { formatQuantity, type Quantity } from "#api/quantity.ts";
import type { DevicesInUse } from "#scheduler/devices/allocated-devices.ts";
import { amountOf, consumedCapacity } from "#scheduler/devices/capacity.ts";
import { watchConstraint, type ConstraintWatch } from "#scheduler/devices/constraints.ts";
import type { Pool, PublishedDevice } from "#scheduler/devices/pools.ts";
import { isKeptAway } from "#scheduler/devices/taints.ts";
import type { ClaimWishes, Wish } from "#scheduler/devices/wishes.ts";

/** A device that is chosen for a wish. */
export interface Choice {
  readonly wish: Wish;
  readonly device: PublishedDevice;
  /** What it takes of a device that several can have a part of. */
  readonly consumed?: ReadonlyMap<string, Quantity>;
}

interface Holding {
  /** How many parts are chosen. */
  parts: number;
  readonly used: Map<string, bigint>;
}

/** What is chosen so far for the claims of one pod on one node, and whether one device more may be. */
export class Ledger {
  readonly #inUse: DevicesInUse;
  readonly #poolOf = new Map<string, Pool>();
  readonly #choices: Choice[][];
  readonly #constraints: readonly (readonly ConstraintWatch[])[];
  readonly #taken = new Set<string>();
  readonly #shared = new Map<string, Holding>();
  /** By pool, counter set and counter: what is left, in billionths. Filled in when first asked for. */
  readonly #left = new Map<string, Map<string, bigint>>();

  constructor(
    claims: readonly ClaimWishes[],
    { pools, inUse }: { readonly pools: readonly Pool[]; readonly inUse: DevicesInUse },
  ) {
    this.#inUse = inUse;
    for (const pool of pools) this.#poolOf.set(pool.name, pool);
    this.#choices = claims.map(() => []);
    this.#constraints = claims.map(({ claim }) =>
      (claim.spec?.devices?.constraints ?? []).map(watchConstraint),
    );
  }

  choicesOf(claim: number): readonly Choice[] {
    return this.#choices[claim] ?? [];
  }

  /** Whether the device is taken; then it stays so until `giveBack`. */
  take(claim: number, wish: Wish, device: PublishedDevice): boolean {
    const choices = this.#choices[claim] ?? [];
    const isShareable = device.device.allowMultipleAllocations ?? false;
    if (!isShareable && choices.some((choice) => choice.device.id === device.id)) return false;
    if (isKeptAway(device.device, wish.tolerations)) return false;
    const consumed = this.#consumed(wish, device);
    if (consumed === undefined) return false;
    if (!wish.adminAccess && !this.#hasCounters(device)) return false;
    if (!this.#keepsConstraints(claim, wish, device)) return false;
    const isPart = isShareable && !wish.adminAccess;
    const choice = { wish, device, ...(isPart && { consumed }) };
    choices.push(choice);
    this.#count(choice, 1);
    return true;
  }

  /** Undoes the claim's last `take`. */
  giveBack(claim: number): void {
    const choice = this.#choices[claim]?.pop();
    if (choice === undefined) return;
    for (const constraint of this.#constraints[claim] ?? []) constraint.remove(choice.wish);
    this.#count(choice, -1);
  }

  /** What the wish takes of the device's capacities; undefined where that is not to be had. */
  #consumed(wish: Wish, device: PublishedDevice): ReadonlyMap<string, Quantity> | undefined {
    const { id, device: published } = device;
    const isShareable = published.allowMultipleAllocations ?? false;
    if (!wish.adminAccess) {
      if (this.#inUse.isTaken(id) || this.#taken.has(id)) return undefined;
      if (!isShareable && this.#inUse.isShared(id)) return undefined;
    }
    if (!isShareable && wish.capacity === undefined) return nothing;
    const consumed = consumedCapacity(published, wish.capacity);
    for (const [name, { nano }] of consumed ?? []) {
      const used = wish.adminAccess ? 0n : this.#usedOf(id, name);
      if (used + nano > amountOf(published.capacity?.[name]?.value ?? "0").nano) return undefined;
    }
    return consumed;
  }

  #usedOf(id: string, capacity: string): bigint {
    return this.#inUse.usedOf(id, capacity) + (this.#shared.get(id)?.used.get(capacity) ?? 0n);
  }

  /** A device of which somebody has a part has its counters already. */
  #hasCounters(device: PublishedDevice): boolean {
    const { consumesCounters = [] } = device.device;
    if (consumesCounters.length === 0 || this.#isInUse(device)) return true;
    const left = this.#leftOf(device);
    const wanted = new Map<string, bigint>();
    for (const [key, amount] of countersOf(device)) {
      wanted.set(key, (wanted.get(key) ?? 0n) + amount);
    }
    return [...wanted].every(([key, amount]) => (left.get(key) ?? 0n) >= amount);
  }

  #isInUse({ id }: PublishedDevice): boolean {
    return this.#inUse.isTaken(id) || this.#inUse.isShared(id) || this.#shared.has(id);
  }

  #leftOf({ driver, pool }: PublishedDevice): Map<string, bigint> {
    const name = `${driver}/${pool}`;
    const known = this.#left.get(name);
    if (known) return known;
    const left = new Map<string, bigint>();
    const whole = this.#poolOf.get(name);
    for (const [set, counters] of whole?.counters ?? []) {
      for (const [counter, amount] of counters) left.set(counterKey(set, counter), amount);
    }
    for (const device of whole?.everywhere ?? []) {
      if (!this.#inUse.isTaken(device.id) && !this.#inUse.isShared(device.id)) continue;
      consume(left, device, 1);
    }
    this.#left.set(name, left);
    return left;
  }

  #keepsConstraints(claim: number, wish: Wish, device: PublishedDevice): boolean {
    const constraints = this.#constraints[claim] ?? [];
    for (const [index, constraint] of constraints.entries()) {
      if (constraint.add(wish, device)) continue;
      for (const added of constraints.slice(0, index)) added.remove(wish);
      return false;
    }
    return true;
  }

  #count({ wish, device, consumed }: Choice, by: 1 | -1): void {
    if (wish.adminAccess) return;
    if (consumed !== undefined) return this.#countPart(device, consumed, by);
    if (by > 0) this.#taken.add(device.id);
    else this.#taken.delete(device.id);
    this.#countCounters(device, by);
  }

  #countPart(device: PublishedDevice, consumed: ReadonlyMap<string, Quantity>, by: 1 | -1): void {
    const { id } = device;
    const holding = this.#shared.get(id) ?? { parts: 0, used: new Map<string, bigint>() };
    const isFirst = holding.parts === (by > 0 ? 0 : 1);
    if (isFirst && !this.#inUse.isShared(id)) this.#countCounters(device, by);
    holding.parts += by;
    for (const [name, { nano }] of consumed) {
      holding.used.set(name, (holding.used.get(name) ?? 0n) + BigInt(by) * nano);
    }
    if (holding.parts > 0) this.#shared.set(id, holding);
    else this.#shared.delete(id);
  }

  #countCounters(device: PublishedDevice, by: 1 | -1): void {
    if (device.device.consumesCounters?.length) consume(this.#leftOf(device), device, by);
  }
}

const nothing: ReadonlyMap<string, Quantity> = new Map();

/** What a result says of consumed capacity. */
export function capacityTexts(
  consumed: ReadonlyMap<string, Quantity>,
): Readonly<Record<string, string>> {
  return Object.fromEntries([...consumed].map(([name, amount]) => [name, formatQuantity(amount)]));
}

function consume(left: Map<string, bigint>, device: PublishedDevice, times: 1 | -1): void {
  for (const [key, amount] of countersOf(device)) {
    left.set(key, (left.get(key) ?? 0n) - BigInt(times) * amount);
  }
}

function countersOf({ device }: PublishedDevice): readonly (readonly [string, bigint])[] {
  return (device.consumesCounters ?? []).flatMap(({ counterSet, counters }) =>
    Object.entries(counters).map(
      ([name, { value }]) => [counterKey(counterSet, name), amountOf(value).nano] as const,
    ),
  );
}

function counterKey(set: string, counter: string): string {
  return `${set}/${counter}`;
}
