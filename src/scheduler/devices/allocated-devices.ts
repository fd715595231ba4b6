import type { AllocationResult } from "#api/generated/types.ts";
import { amountOf } from "#scheduler/devices/capacity.ts";

/** What of the cluster's devices is given away. Devices are named by `deviceId`. */
export interface DevicesInUse {
  /** Somebody has the device alone. */
  isTaken(id: string): boolean;
  /** Somebody has a part of the device. */
  isShared(id: string): boolean;
  /** How much of a capacity is given away, in billionths. */
  usedOf(id: string, capacity: string): bigint;
}

export function deviceId(of: {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
}): string {
  return `${of.driver}/${of.pool}/${of.device}`;
}

interface Shared {
  parts: number;
  readonly used: Map<string, bigint>;
}

/** The devices of all claims that have some; kept up as claims get and lose them. Administrators' access takes nothing. */
export class AllocatedDevices implements DevicesInUse {
  readonly #allocations = new Map<string, AllocationResult>();
  readonly #taken = new Map<string, number>();
  readonly #shared = new Map<string, Shared>();

  /** What the claim of this uid has now; undefined: nothing. */
  set(uid: string, allocation: AllocationResult | undefined): void {
    const before = this.#allocations.get(uid);
    if (before === allocation) return;
    if (before) this.#count(before, -1);
    if (allocation) {
      this.#allocations.set(uid, allocation);
      this.#count(allocation, 1);
    } else this.#allocations.delete(uid);
  }

  isTaken(id: string): boolean {
    return this.#taken.has(id);
  }

  isShared(id: string): boolean {
    return this.#shared.has(id);
  }

  usedOf(id: string, capacity: string): bigint {
    return this.#shared.get(id)?.used.get(capacity) ?? 0n;
  }

  #count({ devices }: AllocationResult, by: 1 | -1): void {
    for (const result of devices?.results ?? []) {
      if (result.adminAccess) continue;
      const id = deviceId(result);
      if (result.shareID !== undefined) this.#countPart(id, result.consumedCapacity ?? {}, by);
      else {
        const holders = (this.#taken.get(id) ?? 0) + by;
        if (holders > 0) this.#taken.set(id, holders);
        else this.#taken.delete(id);
      }
    }
  }

  #countPart(id: string, consumed: Readonly<Record<string, string>>, by: 1 | -1): void {
    const shared = this.#shared.get(id) ?? { parts: 0, used: new Map<string, bigint>() };
    shared.parts += by;
    for (const [capacity, amount] of Object.entries(consumed)) {
      const { nano } = amountOf(amount);
      shared.used.set(capacity, (shared.used.get(capacity) ?? 0n) + BigInt(by) * nano);
    }
    if (shared.parts > 0) this.#shared.set(id, shared);
    else this.#shared.delete(id);
  }
}
