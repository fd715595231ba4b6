import type { ResourceV1ResourceClaim } from "#api/generated/types.ts";
import type { Quantity } from "#api/quantity.ts";
import { whole } from "#api/quota/amounts.ts";

/** `gold.deviceclass.resource.k8s.io/devices` */
export const devicesSuffix = ".deviceclass.resource.k8s.io/devices";

/** As many devices as one claim can get at most. */
const devicesMax = 32;

interface Wanted {
  readonly deviceClassName?: string | null;
  readonly allocationMode?: string | null;
  readonly count?: number | null;
}

/** The devices that a claim may get, by class: of several ways to meet a request, the one with most counts. */
export function deviceUsage(claim: ResourceV1ResourceClaim): Map<string, Quantity> {
  const devices = new Map<string, number>();
  for (const { exactly, firstAvailable = [] } of claim.spec?.devices?.requests ?? []) {
    const ways = exactly ? [exactly] : firstAvailable;
    for (const [name, count] of most(ways)) devices.set(name, (devices.get(name) ?? 0) + count);
  }
  return new Map([...devices].map(([name, count]) => [name + devicesSuffix, whole(count)]));
}

function most(ways: readonly Wanted[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const way of ways) {
    const name = way.deviceClassName ?? "";
    counts.set(name, Math.max(counts.get(name) ?? 0, countOf(way)));
  }
  return counts;
}

/** A mode of a later version does not count. */
function countOf({ allocationMode, count }: Wanted): number {
  switch (allocationMode ?? "ExactCount") {
    case "ExactCount":
      return count ?? 1;
    case "All":
      return devicesMax;
    default:
      return 0;
  }
}
