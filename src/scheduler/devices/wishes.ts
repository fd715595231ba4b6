import type {
  CapacityRequirements,
  DeviceClass,
  DeviceRequest,
  DeviceSelector,
  DeviceToleration,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf } from "#api/meta.ts";

/** Devices of one claim at most. */
export const resultsMax = 32;

/** Devices of one sort: a request, or one of those of which the first available is to be taken. */
export interface Wish {
  /** `REQUEST`, or `REQUEST/ALTERNATIVE`. */
  readonly name: string;
  readonly request: string;
  readonly className: string;
  readonly class: DeviceClass;
  readonly selectors: readonly DeviceSelector[];
  /** How many; all that match when it is "all". */
  readonly count: number | "all";
  /** To look after devices that others use; takes nothing of them. */
  readonly adminAccess: boolean;
  readonly tolerations: readonly DeviceToleration[] | undefined;
  readonly capacity: CapacityRequirements | undefined;
}

export interface ClaimWishes {
  readonly claim: ResourceClaim;
  readonly key: string;
  /** For each request what would do, the best first. */
  readonly requests: readonly (readonly Wish[])[];
}

/** What a claim asks for; a text says why it can never be given. */
export function wishesOf(
  claim: ResourceClaim,
  classOf: (name: string) => DeviceClass | undefined,
): ClaimWishes | string {
  const key = keyOf(claim);
  const requests: Wish[][] = [];
  for (const request of claim.spec?.devices?.requests ?? []) {
    const wishes: Wish[] = [];
    for (const { name, asked } of alternativesOf(request)) {
      const deviceClass = classOf(asked.deviceClassName);
      if (deviceClass === undefined) {
        return `request ${name}: device class ${asked.deviceClassName} does not exist`;
      }
      wishes.push(wishFor(request, { name, asked, class: deviceClass }));
    }
    if (wishes.length === 0)
      return `resource claim ${key}, request ${request.name}: unknown request type`;
    requests.push(wishes);
  }
  const least = requests.reduce((sum, wishes) => sum + Math.min(...wishes.map(leastOf)), 0);
  if (least > resultsMax) {
    return `claim ${key}: number of requested devices ${least} exceeds the claim limit of ${resultsMax}`;
  }
  return { claim, key, requests };
}

type Asked = NonNullable<DeviceRequest["exactly"]>;

function alternativesOf({ name, exactly, firstAvailable = [] }: DeviceRequest): readonly {
  readonly name: string;
  readonly asked: Asked;
}[] {
  if (exactly) return [{ name, asked: exactly }];
  return firstAvailable.map((asked) => ({ name: `${name}/${asked.name}`, asked }));
}

function wishFor(
  request: DeviceRequest,
  { name, asked, class: deviceClass }: { name: string; asked: Asked; class: DeviceClass },
): Wish {
  const { allocationMode, count = 1, deviceClassName: className, selectors = [] } = asked;
  return {
    name,
    request: request.name,
    className,
    class: deviceClass,
    selectors,
    count: allocationMode === "All" ? "all" : count,
    adminAccess: asked.adminAccess ?? false,
    tolerations: asked.tolerations,
    capacity: asked.capacity,
  };
}

function leastOf({ count }: Wish): number {
  return count === "all" ? 0 : count;
}
