import type {
  Container,
  ContainerExtendedResourceRequest,
  DeviceRequest,
  Pod,
} from "#api/generated/types.ts";
import { quantityValue, readQuantity } from "#api/quantity.ts";

/** What a pod's requests for extended resources come to as requests for devices. */
export interface ExtendedRequests {
  readonly requests: readonly DeviceRequest[];
  /** Which request serves which container's resource. */
  readonly mappings: readonly ContainerExtendedResourceRequest[];
}

interface Asking {
  readonly name: string;
  readonly container: string;
  readonly index: number;
  readonly count: number;
}

/**
 * Each container that stays gets devices of its own. Init containers use those of the containers that start after
 * them, and share what they need beyond that. Names are upstream's: `container-0-request-0`.
 */
export function extendedRequests(
  pod: Pod,
  /** The class of devices that stands for each resource. */
  classes: ReadonlyMap<string, string>,
): ExtendedRequests {
  const requests: DeviceRequest[] = [];
  const mappings: ContainerExtendedResourceRequest[] = [];
  for (const [resourceName, deviceClassName] of [...classes].toSorted(byName)) {
    const { staying, starting } = askingFor(pod, resourceName);
    const shared = sharedNeed(staying, starting);
    const exactly = { deviceClassName, allocationMode: "ExactCount" };
    const wanted = [...(shared ? [shared] : []), ...staying];
    requests.push(...wanted.map(({ name, count }) => ({ name, exactly: { ...exactly, count } })));
    const mapped = (container: string, requestName: string) => {
      mappings.push({ containerName: container, resourceName, requestName });
    };
    for (const { container, name } of staying) mapped(container, name);
    for (const one of starting) {
      for (const { name } of lentTo(one, staying).lent) mapped(one.container, name);
      if (shared && lentTo(one, staying).missing > 0) mapped(one.container, shared.name);
    }
  }
  return {
    requests: requests.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    mappings,
  };
}

function askingFor(pod: Pod, resource: string) {
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  const asking = [...initContainers, ...containers].flatMap((container, index) => {
    const count = countIn(container, resource);
    if (count === 0) return [];
    const place = Object.keys(container.resources?.requests ?? {})
      .toSorted()
      .indexOf(resource);
    const isStarting = index < initContainers.length && container.restartPolicy !== "Always";
    const name = `container-${index}-request-${place}`;
    return [{ name, container: container.name, index, count, isStarting }];
  });
  return {
    staying: asking.filter(({ isStarting }) => !isStarting),
    starting: asking.filter(({ isStarting }) => isStarting),
  };
}

function countIn({ resources }: Container, resource: string): number {
  const amount = readQuantity(resources?.requests?.[resource] ?? "0");
  return typeof amount === "string" ? 0 : Number(quantityValue(amount));
}

/** What the init container that needs most needs of its own. */
function sharedNeed(staying: readonly Asking[], starting: readonly Asking[]): Asking | undefined {
  let most: Asking | undefined;
  for (const one of starting) {
    const { missing } = lentTo(one, staying);
    if (missing > (most?.count ?? 0)) most = { ...one, count: missing };
  }
  return most;
}

/** Devices of containers that start later are free while an init container runs. */
function lentTo(one: Asking, staying: readonly Asking[]) {
  const lent: Asking[] = [];
  let missing = one.count;
  for (const later of staying) {
    if (later.index < one.index || missing <= 0) continue;
    lent.push(later);
    missing -= later.count;
  }
  return { lent, missing: Math.max(0, missing) };
}

function byName([one]: readonly [string, string], [other]: readonly [string, string]): number {
  return one < other ? -1 : 1;
}
