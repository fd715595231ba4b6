import type { EndpointSlice, Pod, Service } from "#api/generated/types.ts";
import { keyOf, parseKey } from "#api/meta.ts";
import { services } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Change, Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import type { Datapath, ServiceRule } from "#network/datapath.ts";
import { isServedByNodes } from "#network/dns/ensure-dns-service.ts";
import { hostPortRules } from "#network/proxy/host-ports.ts";
import { serviceRules } from "#network/proxy/service-rules.ts";
import { serviceKeyOf, sliceInformer, slicesOf } from "#network/service-slices.ts";

export interface ServiceProxyParts {
  readonly informers: Informers;
  /** The pods of this node, for their host ports; absent: host ports are not forwarded. */
  readonly pods?: Informer<Pod>;
  readonly datapath: Datapath;
  readonly nodeName: string;
  /** Where this node serves DNS: its pods ask there and not at another node. */
  readonly localDns?: EndpointSlice;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface ServiceProxy extends AsyncDisposable {
  /** Resolves when the datapath has carried the services that were there at the start; rejects when aborted before. */
  readonly ready: Promise<void>;
}

/** Keeps the datapath at what services, endpoint slices and host ports say. Disposing of it leaves the datapath as it is. */
export function createServiceProxy(parts: ServiceProxyParts): ServiceProxy {
  return new RuleKeeper(parts);
}

/** Changes within this time go to the kernel together. */
const gatherMs = 20;
const retryMinMs = 1000;
const retryMaxMs = 30_000;

class RuleKeeper implements ServiceProxy {
  readonly ready: Promise<void>;
  readonly #parts: ServiceProxyParts;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #settleReady: { resolve(): void; reject(reason: unknown): void };
  readonly #listening: Disposable[] = [];
  /** By the object they come from. Rules of unchanged objects stay the same objects: the datapath skips them. */
  readonly #rules = new Map<string, readonly ServiceRule[]>();
  readonly #dirty = new Set<string>();
  #cancelTimer: (() => void) | undefined;
  #working: Promise<void> = Promise.resolve();
  #retryMs = retryMinMs;
  #closed = false;

  constructor(parts: ServiceProxyParts) {
    this.#parts = parts;
    this.#services = parts.informers.of(services);
    this.#slices = sliceInformer(parts.informers);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.ready.catch(() => {}); // Whoever waits sees it; nobody need wait.
    this.#settleReady = { resolve, reject };
    parts.signal.addEventListener("abort", () => this.#close(), { once: true });
    void this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await this.#working;
  }

  async #start(): Promise<void> {
    const { pods } = this.#parts;
    try {
      await Promise.all([this.#services.synced, this.#slices.synced, pods?.synced]);
    } catch (error) {
      this.#settleReady.reject(error);
      return;
    }
    if (this.#closed) return;
    this.#listening.push(
      this.#services.onChange(({ object }) => this.#touch(`service ${keyOf(object)}`)),
      this.#slices.onChange((change) => this.#touchServicesOf(change)),
    );
    if (pods) {
      this.#listening.push(pods.onChange(({ object }) => this.#touch(`pod ${keyOf(object)}`)));
    }
    this.#touch("");
  }

  #touchServicesOf(change: Change<EndpointSlice>): void {
    const slices = change.kind === "modified" ? [change.old, change.object] : [change.object];
    for (const slice of slices) {
      const key = serviceKeyOf(slice);
      if (key !== undefined) this.#touch(`service ${key}`);
    }
  }

  #touch(source: string): void {
    this.#dirty.add(source);
    this.#cancelTimer ??= this.#parts.clock.after(gatherMs, () => this.#run());
  }

  #run(): void {
    this.#cancelTimer = undefined;
    if (this.#closed) return;
    const changed = [...this.#dirty].filter((source) => this.#renew(source));
    this.#dirty.clear();
    if (changed.length === 0) return;
    const before = this.#working;
    this.#working = Promise.all([before, this.#apply()]).then(() => {});
  }

  /** Works out an object's rules again; false when they are what they were. */
  #renew(source: string): boolean {
    const [kind, key = ""] = source.split(" ");
    if (kind === "") return true; // The start: even no service at all is to be applied.
    const fresh = kind === "pod" ? this.#podRules(key) : this.#serviceRules(key);
    const known = this.#rules.get(source) ?? [];
    if (JSON.stringify(fresh) === JSON.stringify(known)) return false;
    if (fresh.length === 0) this.#rules.delete(source);
    else this.#rules.set(source, fresh);
    return true;
  }

  #serviceRules(key: string): readonly ServiceRule[] {
    const service = this.#services.get(parseKey(key));
    if (service === undefined) return [];
    const { nodeName, localDns } = this.#parts;
    const own = localDns && isServedByNodes(service) ? [localDns] : undefined;
    return serviceRules(service, own ?? slicesOf(this.#slices, key), nodeName);
  }

  #podRules(key: string): readonly ServiceRule[] {
    const pod = this.#parts.pods?.get(parseKey(key));
    return pod === undefined ? [] : hostPortRules(pod);
  }

  async #apply(): Promise<void> {
    const { datapath, log, clock } = this.#parts;
    try {
      await datapath.apply([...this.#rules.values()].flat());
      this.#retryMs = retryMinMs;
      this.#settleReady.resolve();
    } catch (error) {
      log.error("services not applied", { error, retryMs: this.#retryMs });
      if (this.#closed) return;
      this.#cancelTimer ??= clock.after(this.#retryMs, () => {
        this.#dirty.add("");
        this.#run();
      });
      this.#retryMs = Math.min(this.#retryMs * 2, retryMaxMs);
    }
  }

  #close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
    this.#settleReady.reject(new Error("Cannot apply services: the network is being closed"));
  }
}
