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
  readonly #ports: { readonly from: number; readonly to: number };
  readonly #addressPool: NumberPool;
  readonly #portPool: NumberPool;
  readonly #random: Random;

  constructor(network: ServiceNetwork, random: Random) {
    this.#range = parseIpv4Range(network.serviceCidr);
    this.#ports = network.nodePorts ?? { from: 30_000, to: 32_767 };
    const { base, size } = this.#range;
    this.#addressPool = new NumberPool(base + 1, base + size - 2);
    this.#portPool = new NumberPool(this.#ports.from, this.#ports.to);
    this.#random = random;
    this.#addressPool.hold(base + 1); // The API server's own service.
  }

  /** Counts the services that are there, and follows every change. */
  follow(cache: StoreCache): void {
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

  #allocateAddress({ object, old }: HookedWrite, undo: (() => void)[]): void {
    const spec = ensureObject(object, "spec");
    if (spec.type === "ExternalName") return;
    setFamilies(spec);
    const asked = stringsAt(spec, "clusterIPs")[0] ?? stringAt(spec, "clusterIP");
    if (asked === "None") return setAddress(spec, asked);
    if (asked !== "" && asked === stringAt(objectAt(old, "spec"), "clusterIP")) return;
    const address = asked === "" ? this.#anyAddress() : this.#thisAddress(object, asked);
    undo.push(() => this.#addressPool.giveBack(address));
    setAddress(spec, formatIpv4(address));
  }

  #anyAddress(): number {
    const address = this.#addressPool.reserveAny(this.#random);
    if (address === undefined) throw internalError("failed to allocate a serviceIP: range is full");
    return address;
  }

  #thisAddress(service: JsonObject, asked: string): number {
    const address = parseIpv4(asked);
    const refuse = (why: string): Error =>
      refusal(service, {
        field: "spec.clusterIPs",
        message: `Invalid value: ${JSON.stringify([asked])}: failed to allocate IP ${asked}: ${why}`,
      });
    if (address === undefined || !contains(this.#range, address)) {
      throw refuse(
        `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${this.#range.text}`,
      );
    }
    const own = address === this.#range.base + 1 && isApiServerService(service);
    if (!own && !this.#addressPool.reserve(address))
      throw refuse("provided IP is already allocated");
    return address;
  }

  #allocatePorts({ object, old }: HookedWrite, undo: (() => void)[]): void {
    const spec = ensureObject(object, "spec");
    if (!needsNodePorts(spec)) return;
    const before = new Set(portsOf(old ?? {}));
    const taken = new Map<number, string>();
    for (const [index, port] of objectsAt(spec, "ports").entries()) {
      const asked = numberAt(port, "nodePort") ?? 0;
      const sharedBy = taken.get(asked);
      if (sharedBy !== undefined && sharedBy !== stringAt(port, "protocol")) continue;
      const nodePort = this.#port(object, {
        asked,
        before,
        field: `spec.ports[${index}].nodePort`,
      });
      if (!before.has(nodePort)) undo.push(() => this.#portPool.giveBack(nodePort));
      port.nodePort = nodePort;
      taken.set(nodePort, stringAt(port, "protocol"));
    }
    if (!needsHealthPort(spec)) return;
    const asked = numberAt(spec, "healthCheckNodePort") ?? 0;
    const health = this.#port(object, { asked, before, field: "spec.healthCheckNodePort" });
    if (!before.has(health)) undo.push(() => this.#portPool.giveBack(health));
    spec.healthCheckNodePort = health;
  }

  #port(service: JsonObject, wish: PortWish): number {
    const { asked, before, field } = wish;
    if (asked === 0) {
      const port = this.#portPool.reserveAny(this.#random);
      if (port === undefined) throw internalError("failed to allocate a nodePort: range is full");
      return port;
    }
    if (before.has(asked)) return asked;
    const { from, to } = this.#ports;
    const refuse = (why: string): Error =>
      refusal(service, { field, message: `Invalid value: ${asked}: ${why}` });
    if (asked < from || asked > to) {
      throw refuse(
        `provided port is not in the valid range. The range of valid ports is ${from}-${to}`,
      );
    }
    if (!this.#portPool.reserve(asked)) throw refuse("provided port is already allocated");
    return asked;
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

interface PortWish {
  readonly asked: number;
  readonly before: ReadonlySet<number>;
  readonly field: string;
}

function setAddress(spec: JsonObject, address: string): void {
  spec.clusterIP = address;
  spec.clusterIPs = [address];
}

/** This cluster's services are IPv4; a headless one without a selector may name endpoints of both families. */
function setFamilies(spec: JsonObject): void {
  const headless =
    stringAt(spec, "clusterIP") === "None" || stringsAt(spec, "clusterIPs")[0] === "None";
  const free = headless && Object.keys(objectAt(spec, "selector")).length === 0;
  spec.ipFamilyPolicy ??= free ? "RequireDualStack" : "SingleStack";
  spec.ipFamilies ??= free && spec.ipFamilyPolicy !== "SingleStack" ? ["IPv4", "IPv6"] : ["IPv4"];
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

function needsNodePorts(spec: JsonObject): boolean {
  if (spec.type === "NodePort") return true;
  return spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false;
}

function needsHealthPort(spec: JsonObject): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

function isApiServerService(service: JsonObject): boolean {
  const metadata = objectAt(service, "metadata");
  return metadata.name === "kubernetes" && metadata.namespace === "default";
}

function refusal(service: JsonObject, cause: Omit<StatusCause, "reason">): Error {
  const name = stringAt(objectAt(service, "metadata"), "name");
  return invalid({ group: "", kind: "Service" }, name, [{ reason: "FieldValueInvalid", ...cause }]);
}
