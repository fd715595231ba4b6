import { type Log, messageOf } from "#base/log.ts";
import { type Clock, sleep } from "#base/clock.ts";
import type { PluginHandler, PluginInfo } from "#agent/devices/plugin-watcher.ts";
import type { ClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import type { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";
import { type DraService, draServices } from "#agent/dynamic-resources/dra-messages.ts";
import { type DraCalls, DraPlugin, tellsNoHealth } from "#agent/dynamic-resources/dra-plugin.ts";
import { type WipeParts, wipeSlices } from "#agent/dynamic-resources/wipe-slices.ts";

export interface DriversParts extends WipeParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly health: DeviceHealth;
  readonly metrics: ClaimMetrics;
  /** A driver can be asked from now on. */
  readonly onUsable: (driver: string) => void;
  readonly callTimeoutMs?: number;
}

interface Registered {
  readonly plugin: DraPlugin;
  isConnected: boolean;
}

/** How long a driver may be away, as it is when its plugin is replaced, before its slices are removed. */
const wipeDelayMs = 30_000;
const healthRetryMs = 5000;

/** The drivers that have a plugin here; of several plugins of one driver the newest that is there is asked. */
export class Drivers implements PluginHandler, Disposable {
  readonly #parts: DriversParts;
  readonly #drivers = new Map<string, Registered[]>();
  readonly #wipes = new Map<string, () => void>();
  readonly #ending = new AbortController();

  constructor(parts: DriversParts) {
    this.#parts = parts;
  }

  /** No driver is registered yet: the slices of none are to be believed. */
  start(): void {
    void wipeSlices(this.#parts, undefined, this.#ending.signal);
  }

  /** Throws, in upstream's words, when no plugin of the driver is registered. */
  get(driver: string): DraCalls {
    const all = this.#drivers.get(driver) ?? [];
    const best = all.findLast(({ isConnected }) => isConnected) ?? all.at(-1);
    if (best === undefined) throw new Error(`DRA driver ${driver} is not registered`);
    return best.plugin;
  }

  check(info: PluginInfo): void {
    serviceOf(info);
    if (!/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/.test(info.name)) {
      throw new Error(`the driver name "${info.name}" is invalid`);
    }
    if (!info.endpoint.startsWith("/")) {
      throw new Error(`the endpoint "${info.endpoint}" is no absolute path of a socket`);
    }
  }

  add(info: PluginInfo): void {
    const { name, endpoint } = info;
    const all = this.#drivers.get(name) ?? [];
    if (all.some(({ plugin }) => plugin.endpoint === endpoint)) {
      throw new Error(`endpoint ${endpoint} already registered for DRA driver plugin ${name}`);
    }
    const { callTimeoutMs, log, metrics } = this.#parts;
    const service = serviceOf(info);
    const plugin = new DraPlugin({
      driver: name,
      endpoint,
      service,
      metrics,
      ...(callTimeoutMs && { callTimeoutMs }),
    });
    const added = { plugin, isConnected: false };
    this.#drivers.set(name, [...all, added]);
    plugin.followConnection((isConnected) => {
      if (!this.#has(name, added)) return;
      added.isConnected = isConnected;
      log.info("DRA driver connection", { driver: name, endpoint, isConnected });
      this.#connectionChanged(name);
      if (isConnected) this.#parts.onUsable(name);
    });
    void this.#followHealth(name, added);
  }

  remove({ name, endpoint }: PluginInfo): void {
    const all = this.#drivers.get(name) ?? [];
    const gone = all.find(({ plugin }) => plugin.endpoint === endpoint);
    if (gone === undefined) return;
    const left = all.filter((one) => one !== gone);
    if (left.length > 0) this.#drivers.set(name, left);
    else this.#drivers.delete(name);
    gone.plugin[Symbol.dispose]();
    this.#connectionChanged(name);
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new Error("the node agent stops"));
    for (const cancel of this.#wipes.values()) cancel();
    for (const { plugin } of [...this.#drivers.values()].flat()) plugin[Symbol.dispose]();
    this.#drivers.clear();
  }

  #has(driver: string, one: Registered): boolean {
    return this.#drivers.get(driver)?.includes(one) ?? false;
  }

  #connectionChanged(driver: string): void {
    const isUsable = this.#drivers.get(driver)?.some(({ isConnected }) => isConnected) ?? false;
    const cancel = this.#wipes.get(driver);
    if (isUsable) {
      cancel?.();
      this.#wipes.delete(driver);
    } else if (cancel === undefined) {
      this.#wipes.set(driver, this.#wipeLater(driver));
    }
  }

  #wipeLater(driver: string): () => void {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#ending.signal]);
    const cancel = this.#parts.clock.after(wipeDelayMs, () => {
      void wipeSlices(this.#parts, driver, signal);
    });
    return () => {
      cancel();
      stop.abort();
    };
  }

  /** A plugin that does not report is not asked again. */
  async #followHealth(driver: string, one: Registered): Promise<void> {
    const { health, clock, log } = this.#parts;
    while (this.#has(driver, one)) {
      try {
        for await (const devices of one.plugin.health()) {
          if (this.#has(driver, one)) health.report(driver, devices);
        }
      } catch (error) {
        if (tellsNoHealth(error)) return;
        log.debug("health of devices not told", { driver, reason: messageOf(error) });
      }
      health.forget(driver);
      await sleep(clock, healthRetryMs, this.#ending.signal).catch(() => {});
    }
  }
}

/** Which of the API's versions is spoken: the first of the plugin's that the node knows. */
function serviceOf({ name, endpoint, versions }: PluginInfo): DraService {
  const problem = `invalid supported gRPC versions of DRA driver plugin ${name} at endpoint ${endpoint}`;
  if (versions.length === 0) {
    throw new Error(`${problem}: empty list of supported gRPC services (aka supported versions)`);
  }
  const chosen = versions.flatMap(
    (version) => draServices.find((known) => known === version) ?? [],
  );
  if (chosen[0] !== undefined) return chosen[0];
  const [theirs, ours] = [versions, draServices].map((all) => `[${all.map(quoted).join(" ")}]`);
  throw new Error(
    `${problem}: none of services supported by the plugin (${theirs}) are supported by the kubelet (${ours})`,
  );
}

const quoted = (text: string): string => JSON.stringify(text);
