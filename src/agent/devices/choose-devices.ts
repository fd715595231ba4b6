import type { PluginDevice } from "#agent/devices/device-plugin.ts";

export interface DevicesAsked {
  readonly resource: string;
  readonly count: number;
  /** All that the plugin has. */
  readonly devices: ReadonlyMap<string, PluginDevice>;
  /** Taken by other containers. */
  readonly inUse: ReadonlySet<string>;
  /** Had by init containers of the same pod, which have ended when this one starts. */
  readonly reusable: ReadonlySet<string>;
  /** Asks the plugin which it would have rather. */
  preferred(
    available: readonly string[],
    mustInclude: readonly string[],
  ): Promise<readonly string[]>;
}

/**
 * Which devices a container gets: those its pod's init containers had, then those the plugin prefers, then those that
 * lie together at one NUMA node. Throws upstream's text when there are too few.
 */
export async function chooseDevices(asked: DevicesAsked): Promise<readonly string[]> {
  const { resource, count, devices, inUse, reusable } = asked;
  const healthy = [...devices.values()].filter(({ isHealthy }) => isHealthy).map(({ id }) => id);
  if (healthy.length === 0) {
    throw new Error(`no healthy devices present; cannot allocate unhealthy devices ${resource}`);
  }
  const kept = healthy.filter((id) => reusable.has(id)).slice(0, count);
  const missing = count - kept.length;
  if (missing === 0) return kept;
  const free = healthy.filter((id) => !inUse.has(id) && !kept.includes(id));
  if (free.length < missing) {
    throw new Error(
      `requested number of devices unavailable for ${resource}. Requested: ${missing}, Available: ${free.length}`,
    );
  }
  const wished = await asked.preferred([...free, ...kept], kept);
  const preferred = free.filter((id) => wished.includes(id));
  const rest = together(free, devices).filter((id) => !preferred.includes(id));
  return [...kept, ...[...preferred, ...rest].slice(0, missing)];
}

/** Those of the NUMA node with the most of them first: the likeliest to hold all that is asked. */
function together(
  ids: readonly string[],
  devices: ReadonlyMap<string, PluginDevice>,
): readonly string[] {
  const nodeOf = (id: string): number => devices.get(id)?.numaNodes[0] ?? -1;
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(nodeOf(id), (counts.get(nodeOf(id)) ?? 0) + 1);
  const size = (id: string): number => counts.get(nodeOf(id)) ?? 0;
  return ids.toSorted(
    (left, right) =>
      size(right) - size(left) || nodeOf(left) - nodeOf(right) || left.localeCompare(right),
  );
}
