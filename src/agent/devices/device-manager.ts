import type { Container, Pod, ResourceStatus } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { chooseDevices } from "#agent/devices/choose-devices.ts";
import { type Allocation, DeviceCheckpoint } from "#agent/devices/device-checkpoint.ts";
import {
  type DeviceGrant,
  DevicePlugin,
  type PluginDevice,
  rpcText,
} from "#agent/devices/device-plugin.ts";
import { openRegistration } from "#agent/devices/registration.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";

export interface DeviceManagerParts {
  /** The folder of sockets: the node's `device-plugins`. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How many devices there are has changed, or how well they are; with the pods that have some of them. */
  readonly onChange: (podUids: ReadonlySet<string>) => void;
  /** How long a plugin may take to answer. Default: 30 seconds. */
  readonly callTimeoutMs?: number;
}

export interface DeviceAmounts {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

interface Registered {
  plugin: DevicePlugin | undefined;
  devices: ReadonlyMap<string, PluginDevice>;
  cancelForget: () => void;
}

/** How long the devices of a plugin that went are still counted: it may only be replaced. */
const forgetMs = 5 * 60_000;

/** The devices of all plugins, and which container has which. */
export class DeviceManager implements Disposable {
  readonly #parts: DeviceManagerParts;
  readonly #checkpoint: DeviceCheckpoint;
  readonly #resources = new Map<string, Registered>();
  #allocations: readonly Allocation[];
  #server: Disposable | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(parts: DeviceManagerParts) {
    this.#parts = parts;
    this.#checkpoint = new DeviceCheckpoint(parts.dir);
    const { allocations, resources } = this.#checkpoint.read();
    this.#allocations = allocations;
    for (const name of resources) this.#resources.set(name, unregistered());
  }

  /** Lets plugins register. */
  async start(): Promise<void> {
    this.#server = await openRegistration(this.#parts.dir, (resource, socket) => {
      this.#connect(resource, socket).catch((error: unknown) => {
        const reason = messageOf(error);
        this.#parts.log.warn("device plugin not connected", { resource, reason });
      });
    });
  }

  /** A resource whose plugin has gone for long counts none, which tells that there were some. */
  get amounts(): DeviceAmounts {
    const capacity: Record<string, string> = {};
    const allocatable: Record<string, string> = {};
    for (const [name, { devices }] of this.#resources) {
      const healthy = [...devices.values()].filter(({ isHealthy }) => isHealthy);
      capacity[name] = String(devices.size);
      allocatable[name] = String(healthy.length);
    }
    return { capacity, allocatable };
  }

  /** All devices by resource. */
  get devices(): ReadonlyMap<string, readonly PluginDevice[]> {
    return new Map(
      [...this.#resources].map(([name, { devices }]) => [name, [...devices.values()]]),
    );
  }

  /** Gives a pod's containers their devices. Throws upstream's text when they cannot have them; then they have none. */
  allocate(pod: Pod): Promise<void> {
    // One pod at a time: a plugin is asked in between which devices it would have rather.
    const mine = this.#last.then(() => this.#allocate(pod));
    this.#last = mine.catch(() => {});
    return mine;
  }

  allocationsOf(podUid: string): readonly Allocation[] {
    return this.#allocations.filter((allocation) => allocation.podUid === podUid);
  }

  /** What a container is to be started with; tells the plugins that it starts. */
  async prepareStart(pod: Pod, container: string): Promise<readonly DeviceGrant[]> {
    const own = this.allocationsOf(uidOf(pod)).filter((one) => one.container === container);
    for (const { resource, ids } of own) {
      await this.#resources.get(resource)?.plugin?.preStart(ids);
    }
    return own.map(({ grant }) => grant);
  }

  /** How well a container's devices are: `allocatedResourcesStatus`. */
  statusOf(podUid: string, container: string): readonly ResourceStatus[] {
    return this.allocationsOf(podUid)
      .filter((allocation) => allocation.container === container)
      .map(({ resource, ids }) => ({
        name: resource,
        resources: ids.map((id) => {
          const device = this.#resources.get(resource)?.devices.get(id);
          // What the plugin of before had and this one does not name is not known to be ill.
          return { resourceID: id, health: (device?.isHealthy ?? true) ? "Healthy" : "Unhealthy" };
        }),
      }));
  }

  /** Harmless where the pod has none. */
  release(podUid: string): void {
    const left = this.#allocations.filter((allocation) => allocation.podUid !== podUid);
    if (left.length === this.#allocations.length) return;
    this.#allocations = left;
    this.#write();
  }

  /** Forgets pods that are not among these. */
  keepOnly(podUids: ReadonlySet<string>): void {
    const gone = this.#allocations.filter(({ podUid }) => !podUids.has(podUid));
    for (const { podUid } of gone) this.release(podUid);
  }

  [Symbol.dispose](): void {
    this.#server?.[Symbol.dispose]();
    for (const one of this.#resources.values()) {
      one.cancelForget();
      const { plugin } = one;
      one.plugin = undefined;
      plugin?.[Symbol.dispose]();
    }
  }

  async #connect(resource: string, socket: string): Promise<void> {
    const { log, callTimeoutMs } = this.#parts;
    const plugin = await DevicePlugin.connect(socket, callTimeoutMs);
    const known = this.#resources.get(resource) ?? unregistered();
    this.#resources.set(resource, known);
    known.plugin?.[Symbol.dispose]();
    known.cancelForget();
    known.plugin = plugin;
    this.#write();
    log.info("device plugin connected", { resource });
    try {
      for await (const devices of plugin.devices()) {
        if (known.plugin !== plugin) return;
        this.#setDevices(resource, devices);
      }
    } catch (error) {
      if (known.plugin === plugin) {
        log.warn("device plugin lost", { resource, reason: messageOf(error) });
      }
    } finally {
      if (known.plugin === plugin) this.#lost(resource, known);
      plugin[Symbol.dispose]();
    }
  }

  #setDevices(resource: string, devices: readonly PluginDevice[]): void {
    const known = this.#resources.get(resource);
    if (known === undefined) return;
    known.devices = new Map(devices.map((device) => [device.id, device]));
    const users = this.#allocations.filter((allocation) => allocation.resource === resource);
    this.#parts.onChange(new Set(users.map(({ podUid }) => podUid)));
  }

  /** Without its plugin no device is known to be well; after a while there is none. */
  #lost(resource: string, known: Registered): void {
    known.plugin = undefined;
    const devices = [...known.devices.values()];
    this.#setDevices(
      resource,
      devices.map((device) => ({ ...device, isHealthy: false })),
    );
    known.cancelForget = this.#parts.clock.after(forgetMs, () => this.#setDevices(resource, []));
  }

  async #allocate(pod: Pod): Promise<void> {
    const podUid = uidOf(pod);
    const reusable = new Map<string, Set<string>>();
    try {
      for (const { spec, role } of podContainers(pod)) {
        for (const [resource, count] of devicesAsked(spec)) {
          if (!this.#resources.has(resource)) continue;
          if (this.#has(podUid, spec.name, resource)) continue;
          const had = reusable.get(resource) ?? new Set();
          const ids = await this.#give({ podUid, container: spec.name, resource, count, had });
          // An init container has ended before others start; a sidecar and all others go on.
          if (role === "init") reusable.set(resource, new Set([...had, ...ids]));
          else for (const id of ids) had.delete(id);
        }
      }
    } catch (error) {
      this.release(podUid);
      throw error;
    }
  }

  #has(podUid: string, container: string, resource: string): boolean {
    return this.allocationsOf(podUid).some(
      (one) => one.container === container && one.resource === resource,
    );
  }

  async #give(asked: {
    readonly podUid: string;
    readonly container: string;
    readonly resource: string;
    readonly count: number;
    readonly had: ReadonlySet<string>;
  }): Promise<readonly string[]> {
    const { podUid, container, resource, count, had } = asked;
    const known = this.#resources.get(resource);
    const plugin = known?.plugin;
    if (known === undefined || (plugin === undefined && known.devices.size === 0)) {
      throw new Error(`cannot allocate unregistered device ${resource}`);
    }
    const ids = await chooseDevices({
      resource,
      count,
      devices: known.devices,
      inUse: this.#inUse(resource),
      reusable: had,
      preferred: async (available, mustInclude) =>
        (await plugin?.preferred({ available, mustInclude, size: count })) ?? [],
    });
    if (plugin === undefined) throw new Error(`endpoint ${resource} has been stopped`);
    const grant = await plugin.allocate(ids).catch((error: unknown) => {
      throw new Error(rpcText(error), { cause: error });
    });
    const nodes = ids.flatMap((id) => known.devices.get(id)?.numaNodes ?? []);
    const numaNodes = [...new Set(nodes)];
    const allocation = { podUid, container, resource, ids, numaNodes, grant };
    this.#allocations = [...this.#allocations, allocation];
    this.#write();
    return ids;
  }

  #inUse(resource: string): ReadonlySet<string> {
    const users = this.#allocations.filter((allocation) => allocation.resource === resource);
    return new Set(users.flatMap(({ ids }) => ids));
  }

  #write(): void {
    this.#checkpoint.write({
      allocations: this.#allocations,
      resources: [...this.#resources.keys()],
    });
  }
}

function unregistered(): Registered {
  return { plugin: undefined, devices: new Map(), cancelForget: () => {} };
}

/** Devices are counted in whole ones and never overcommitted: limits and requests are the same. */
function devicesAsked({ resources }: Container): readonly (readonly [string, number])[] {
  return Object.entries(resources?.limits ?? {})
    .filter(([name]) => name.includes("/"))
    .map(([name, amount]) => [name, Number(amount)] as const)
    .filter(([, count]) => Number.isInteger(count) && count > 0);
}
