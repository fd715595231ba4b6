import type {
  CounterSet,
  Device,
  Node,
  NodeSelector,
  ResourceSlice,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { matchesTerm } from "#reconcile/node-selector.ts";
import { deviceId } from "#scheduler/devices/allocated-devices.ts";
import { amountOf } from "#scheduler/devices/capacity.ts";

/** A device and where it is published. */
export interface PublishedDevice {
  readonly id: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  readonly slice: ResourceSlice;
}

/** Counters by their set and name, in billionths. */
export type Counters = ReadonlyMap<string, ReadonlyMap<string, bigint>>;

/** What a driver publishes under one name, as a node sees it. */
export interface Pool {
  /** `DRIVER/POOL`. */
  readonly name: string;
  /** A pool that is being published, or that contradicts itself, gives no devices. */
  readonly state: "complete" | "incomplete" | "invalid";
  /** Those that the node can use. */
  readonly devices: readonly PublishedDevice[];
  /** All of the pool's, wherever they are: what they have of the counters is everybody's. */
  readonly everywhere: readonly PublishedDevice[];
  readonly counters: Counters;
}

interface WholePool {
  readonly name: string;
  readonly slices: readonly PublishedSlice[];
  readonly isComplete: boolean;
  readonly devices: readonly PublishedDevice[];
  readonly counters: Counters;
  readonly isInvalid: boolean;
}

interface PublishedSlice {
  readonly slice: ResourceSlice;
  readonly devices: readonly PublishedDevice[];
}

/** The slices of a moment, arranged so that a node finds its own. */
export class PublishedPools {
  readonly #ofNode = new Map<string, WholePool[]>();
  readonly #ofSeveral: WholePool[] = [];
  readonly #seen = new WeakMap<Node, readonly Pool[]>();

  readonly #byName = new Map<string, WholePool>();

  /** What has not changed since `before` is taken over from it. */
  constructor(slices: Iterable<ResourceSlice>, before?: PublishedPools) {
    const byPool = new Map<string, ResourceSlice[]>();
    for (const slice of slices) {
      const { driver, pool } = slice.spec;
      const key = `${driver}/${pool.name}`;
      const known = byPool.get(key);
      if (known) known.push(slice);
      else byPool.set(key, [slice]);
    }
    for (const [name, ofPool] of byPool) {
      const newest = newestOf(ofPool);
      const known = before && before.#byName.get(name);
      const pool = known && isOf(known, newest) ? known : wholePool(name, newest);
      this.#byName.set(name, pool);
      const nodes = new Set(pool.slices.map(({ slice }) => slice.spec.nodeName ?? ""));
      if (nodes.has("")) this.#ofSeveral.push(pool);
      else
        for (const node of nodes) this.#ofNode.set(node, [...(this.#ofNode.get(node) ?? []), pool]);
    }
  }

  /** In the order in which devices are looked for: those that are ready at once come first. */
  seenFrom(node: Node): readonly Pool[] {
    const known = this.#seen.get(node);
    if (known) return known;
    const pools = [...(this.#ofNode.get(nameOf(node)) ?? []), ...this.#ofSeveral]
      .flatMap((pool) => poolSeenFrom(pool, node))
      .toSorted(byReadinessAndName);
    this.#seen.set(node, pools);
    return pools;
  }
}

function isOf({ slices: published }: WholePool, slices: readonly ResourceSlice[]): boolean {
  const isSame = published.every(({ slice }, index) => slice === slices[index]);
  return isSame && published.length === slices.length;
}

/** Slices of an older generation are about to go. */
function newestOf(slices: readonly ResourceSlice[]): readonly ResourceSlice[] {
  if (slices.length === 1) return slices;
  const newest = Math.max(...slices.map(({ spec }) => spec.pool.generation));
  return slices
    .filter(({ spec }) => spec.pool.generation === newest)
    .toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

function wholePool(name: string, slices: readonly ResourceSlice[]): WholePool {
  const published = slices.map(publishedSlice);
  const devices = published.flatMap((slice) => slice.devices);
  const sets = slices.flatMap(({ spec }) => spec.sharedCounters ?? []);
  const counters = countersOf(sets);
  const isUnique = counters.size === sets.length && namesAreUnique(devices);
  return {
    name,
    slices: published,
    isComplete: slices.length === slices[0]?.spec.pool.resourceSliceCount,
    devices,
    counters,
    isInvalid: !isUnique || !devices.every((one) => namesKnownCounters(one, counters)),
  };
}

function publishedSlice(slice: ResourceSlice): PublishedSlice {
  const { driver, pool, devices = [] } = slice.spec;
  return {
    slice,
    devices: devices.map((device) => ({
      id: deviceId({ driver, pool: pool.name, device: device.name }),
      driver,
      pool: pool.name,
      device,
      slice,
    })),
  };
}

function countersOf(sets: readonly CounterSet[]): Counters {
  const amounts = (set: CounterSet) =>
    new Map(Object.entries(set.counters).map(([name, { value }]) => [name, amountOf(value).nano]));
  return new Map(sets.map((set) => [set.name, amounts(set)]));
}

function namesAreUnique(devices: readonly PublishedDevice[]): boolean {
  return new Set(devices.map(({ id }) => id)).size === devices.length;
}

function namesKnownCounters({ device }: PublishedDevice, counters: Counters): boolean {
  return (device.consumesCounters ?? []).every(({ counterSet, counters: wanted }) => {
    const known = counters.get(counterSet);
    return known !== undefined && Object.keys(wanted).every((name) => known.has(name));
  });
}

/** None where no slice of the pool is for the node. */
function poolSeenFrom(pool: WholePool, node: Node): readonly Pool[] {
  const forNode = pool.slices.filter(({ slice }) => isForNode(slice, node));
  if (forNode.length === 0) return [];
  const { name, isComplete, isInvalid, counters, devices: everywhere } = pool;
  const state = !isComplete ? "incomplete" : isInvalid ? "invalid" : "complete";
  const devices = forNode.flatMap(({ slice, devices: published }) =>
    slice.spec.perDeviceNodeSelection
      ? published.filter(({ device }) => isAt(device, node))
      : published,
  );
  return [{ name, state, devices, everywhere, counters }];
}

function isForNode({ spec }: ResourceSlice, node: Node): boolean {
  if (spec.perDeviceNodeSelection) {
    return (spec.devices ?? []).some((device) => isAt(device, node));
  }
  return isAt(spec, node);
}

interface Place {
  readonly nodeName?: string;
  readonly allNodes?: boolean;
  readonly nodeSelector?: NodeSelector;
}

function isAt({ nodeName, allNodes, nodeSelector }: Place, node: Node): boolean {
  if (nodeName) return nodeName === nameOf(node);
  if (allNodes) return true;
  return nodeSelector?.nodeSelectorTerms.some((term) => matchesTerm(term, node)) ?? false;
}

function byReadinessAndName(one: Pool, other: Pool): number {
  const needsTime = (pool: Pool) =>
    Number(pool.devices.some(({ device }) => device.bindingConditions?.length));
  return needsTime(one) - needsTime(other) || (one.name < other.name ? -1 : 1);
}
