import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { internalError, invalid } from "#api/status.ts";
import type { Random } from "#base/random.ts";
import {
  contains,
  formatIpv4,
  parseIpv4,
  parseIpv4Range,
  type Ipv4Range,
} from "#apiserver/allocation/ipv4-range.ts";
import { settleFamilies } from "#apiserver/allocation/service-families.ts";
import { ServiceRanges } from "#apiserver/allocation/service-ranges.ts";
import { NumberPool } from "#apiserver/allocation/number-pool.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { ServiceNetwork } from "#apiserver/parts.ts";
import type { HookedWrite } from "#apiserver/hooks/resource-hooks.ts";
import {
  ensureObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from "#apiserver/objects/json.ts";

/**
 * Gives services their addresses and node ports. What is taken is read from the services themselves, so that it is
 * never out of step with them; reservations cover the time until a write is in the cache.
 */
export class ServiceAllocator {
  readonly #range: Ipv4Range;
  readonly #ranges: ServiceRanges;
  readonly #ports: { readonly from: number; readonly to: number };
  readonly #addressPool: NumberPool;
  readonly #portPool: NumberPool;
  readonly #random: Random;

  constructor(network: ServiceNetwork, random: Random) {
    this.#range = parseIpv4Range(network.serviceCidr);
    this.#ranges = new ServiceRanges(this.#range);
    this.#ports = network.nodePorts ?? { from: 30_000, to: 32_767 };
    const { base, size } = this.#range;
    this.#addressPool = new NumberPool(base + 1, base + size - 2);
    this.#portPool = new NumberPool(this.#ports.from, this.#ports.to);
    this.#random = random;
    this.#addressPool.hold(base + 1); // The API server's own service.
  }

  /** Counts the services that are there, and follows every change. */
  follow(cache: StoreCache): void {
    this.#ranges.follow(cache);
    const prefix = resourcePrefix({ group: "", resource: "services" });
    const resource = cache.resource(prefix);
    for (const stored of resource.list(prefix)) this.#hold(stored.object);
    resource.watch({
      prefix,
      onChange: ({ current, previous }) => {
        if (previous) this.#release(previous.object);
        if (current) this.#hold(current.object);
      },
    });
  }

  /** In place: fills in what the service needs; the answer gives it all back. Throws 422 for what is taken. */
  allocate(write: HookedWrite): () => void {
    const undo: (() => void)[] = [];
    const giveBack = (): void => undo.splice(0).forEach((step) => step());
    try {
      this.#allocateAddress(write, undo);
      this.#allocatePorts(write, undo);
    } catch (error) {
      giveBack();
      throw error;
    }
    return giveBack;
  }

  /** Whether stored services hold all of these. */
  holds({ addresses, ports }: Numbers): boolean {
    return (
      addresses.every((address) => this.#addressPool.isHeld(address)) &&
      ports.every((port) => this.#portPool.isHeld(port))
    );
  }

  /** Keeps from being given out what others are about to write, until it is disposed of. */
  reserveFor(others: readonly Numbers[]): Disposable {
    using reserving = new DisposableStack();
    const reserve = (pool: NumberPool, value: number): void => {
      if (pool.reserve(value)) reserving.defer(() => pool.giveBack(value));
    };
    for (const { addresses, ports } of others) {
      for (const address of addresses) reserve(this.#addressPool, address);
      for (const port of ports) reserve(this.#portPool, port);
    }
    return reserving.move();
  }

  #allocateAddress({ object, old }: HookedWrite, undo: (() => void)[]): void {
    const spec = ensureObject(object, "spec");
    if (spec.type === "ExternalName") return;
    const causes = settleFamilies(spec);
    if (causes.length > 0) throw refusalOf(object, causes);
    const asked = stringsAt(spec, "clusterIPs")[0] ?? stringAt(spec, "clusterIP");
    if (asked === "None") return setAddress(spec, asked);
    if (asked !== "" && asked === stringAt(objectAt(old, "spec"), "clusterIP")) return;
    const address = asked === "" ? this.#anyAddress(object) : this.#thisAddress(object, asked);
    undo.push(() => this.#addressPool.giveBack(address));
    setAddress(spec, formatIpv4(address));
  }

  #anyAddress(service: JsonObject): number {
    for (const { base, size } of this.#ranges.all()) {
      const within = { first: base + 1, last: base + size - 2 };
      const address = this.#addressPool.reserveAny(this.#random, {
        ...within,
        isFree: (value) => !this.#ranges.isReserved(value),
      });
      if (address !== undefined) return address;
    }
    const name = JSON.stringify(nameOf(service));
    throw internalError(`failed to allocate a serviceIP for Service ${name}: range is full`);
  }

  #thisAddress(service: JsonObject, asked: string): number {
    const address = parseIpv4(asked);
    const refuse = (why: string): Error =>
      refusal(service, {
        field: "spec.clusterIPs",
        message: `Invalid value: ${JSON.stringify([asked])}: failed to allocate IP ${asked}: ${why}`,
      });
    const range = address === undefined ? undefined : this.#ranges.rangeOf(address);
    if (address === undefined || range === undefined) {
      throw refuse("the provided network does not match the current range");
    }
    if (!contains(range, address)) {
      throw refuse(
        `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${range.text}`,
      );
    }
    const own = address === this.#range.base + 1 && isApiServerService(service);
    const isTaken = this.#ranges.isReserved(address) || !this.#addressPool.reserve(address);
    if (!own && isTaken) throw refuse("provided IP is already allocated");
    return address;
  }

  #allocatePorts({ object, old }: HookedWrite, undo: (() => void)[]): void {
    const spec = ensureObject(object, "spec");
    if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return;
    const held = new Set(portsOf(old ?? {}));
    const wanted = settledPorts(objectsAt(spec, "ports"), old !== undefined);
    for (const [index, port] of objectsAt(spec, "ports").entries()) {
      const asked = wanted[index] ?? 0;
      if (asked === 0 && !allocatesNodePorts(spec)) continue;
      const why = asked === 0 || held.has(asked) ? undefined : this.#takePort(asked, undo);
      if (why !== undefined) {
        const message = `Invalid value: ${asked}: ${why}`;
        throw refusal(object, { field: `spec.ports[${index}].nodePort`, message });
      }
      const nodePort = asked === 0 ? this.#anyPort("nodePort", undo) : asked;
      port.nodePort = nodePort;
      held.add(nodePort);
      if (old === undefined) shareWithSamePort(objectsAt(spec, "ports"), wanted, index);
    }
    if (needsHealthPort(spec)) this.#allocateHealthPort(spec, { old, held, undo });
  }

  #allocateHealthPort(spec: JsonObject, { old, held, undo }: HealthPort): void {
    const asked = numberAt(spec, "healthCheckNodePort") ?? 0;
    if (asked === 0) spec.healthCheckNodePort = this.#anyPort("HealthCheck NodePort 0", undo);
    if (asked === 0 || (old !== undefined && held.has(asked))) return;
    const why = this.#takePort(asked, undo);
    if (why === undefined) return;
    throw internalError(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`);
  }

  #anyPort(what: string, undo: (() => void)[]): number {
    const port = this.#portPool.reserveAny(this.#random);
    if (port === undefined) throw internalError(`failed to allocate a ${what}: range is full`);
    undo.push(() => this.#portPool.giveBack(port));
    return port;
  }

  /** Says why the port cannot be had; undefined when it is taken now. */
  #takePort(asked: number, undo: (() => void)[]): string | undefined {
    const { from, to } = this.#ports;
    if (asked < from || asked > to) {
      return `provided port is not in the valid range. The range of valid ports is ${from}-${to}`;
    }
    if (!this.#portPool.reserve(asked)) return "provided port is already allocated";
    undo.push(() => this.#portPool.giveBack(asked));
    return undefined;
  }

  #hold(service: JsonObject): void {
    for (const address of addressesOf(service)) this.#addressPool.hold(address);
    for (const port of portsOf(service)) this.#portPool.hold(port);
  }

  #release(service: JsonObject): void {
    for (const address of addressesOf(service)) this.#addressPool.release(address);
    for (const port of portsOf(service)) this.#portPool.release(port);
  }
}

/** Addresses and node ports. */
export interface Numbers {
  readonly addresses: readonly number[];
  readonly ports: readonly number[];
}

export function heldBy(service: JsonObject): Numbers {
  return { addresses: addressesOf(service), ports: portsOf(service) };
}

interface HealthPort {
  readonly old: JsonObject | undefined;
  /** What the service has already. */
  readonly held: ReadonlySet<number>;
  readonly undo: (() => void)[];
}

/** The node ports that are asked for; in a new service a port counts for all protocols of its number. */
function settledPorts(ports: readonly JsonObject[], isUpdate: boolean): number[] {
  const own = ports.map((port) => numberAt(port, "nodePort") ?? 0);
  if (isUpdate) return own;
  return ports.map((port, index) => {
    const sharing = ports.findIndex((other, at) => other.port === port.port && own[at] !== 0);
    return own[index] || own[sharing] || 0;
  });
}

/** In place: what a port of a new service was given is what the same port of other protocols gets. */
function shareWithSamePort(ports: readonly JsonObject[], wanted: number[], given: number): void {
  const from = ports[given];
  for (const [index, port] of ports.entries()) {
    const open = index > given && wanted[index] === 0 && port.port === from?.port;
    if (open) wanted[index] = numberAt(from, "nodePort") ?? 0;
  }
}

function setAddress(spec: JsonObject, address: string): void {
  spec.clusterIP = address;
  spec.clusterIPs = [address];
}

function addressesOf(service: JsonObject): readonly number[] {
  const addresses = stringsAt(objectAt(service, "spec"), "clusterIPs").map(parseIpv4);
  return addresses.filter((address) => address !== undefined);
}

/** Each once: ports of different protocols may share a number. */
function portsOf(service: JsonObject): readonly number[] {
  const spec = objectAt(service, "spec");
  const numbers = objectsAt(spec, "ports").map((port) => numberAt(port, "nodePort") ?? 0);
  const all = new Set([...numbers, numberAt(spec, "healthCheckNodePort") ?? 0]);
  all.delete(0);
  return [...all];
}

/** A load balancer may do without, but gets the ports it asks for. */
function allocatesNodePorts(spec: JsonObject): boolean {
  return spec.type === "NodePort" || spec.allocateLoadBalancerNodePorts !== false;
}

function needsHealthPort(spec: JsonObject): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

function isApiServerService(service: JsonObject): boolean {
  const metadata = objectAt(service, "metadata");
  return metadata.name === "kubernetes" && metadata.namespace === "default";
}

function refusal(service: JsonObject, cause: Omit<StatusCause, "reason">): Error {
  return refusalOf(service, [{ reason: "FieldValueInvalid", ...cause }]);
}

function refusalOf(service: JsonObject, causes: readonly StatusCause[]): Error {
  return invalid({ group: "", kind: "Service" }, nameOf(service), causes);
}

function nameOf(service: JsonObject): string {
  return stringAt(objectAt(service, "metadata"), "name");
}
