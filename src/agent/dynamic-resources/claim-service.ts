import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { type PluginHandler, PluginWatcher } from "#agent/devices/plugin-watcher.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import { createClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";
import { Drivers } from "#agent/dynamic-resources/drivers.ts";
import { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";

export interface ClaimServiceParts {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: MetricsRegistry;
  /** Other types of plugins that register where drivers do. */
  readonly handlers?: Readonly<Record<string, PluginHandler>>;
  readonly isKnown: (podUid: string) => boolean;
  /** How well devices of these pods are has changed. */
  readonly onHealth: (podUids: ReadonlySet<string>) => void;
  /** A driver can be asked: pods that wait for it may try again. */
  readonly onUsable: () => void;
  readonly callTimeoutMs?: number;
}

/** Claims of a node, with the drivers that register here and what they tell of their devices. */
export interface ClaimService extends Disposable {
  readonly claims: DynamicResources;
  /** To be called once the node's pods are known. */
  start(): Promise<void>;
}

export function createClaimService(parts: ClaimServiceParts): ClaimService {
  const { dataDir, clock, log } = parts;
  const health = new DeviceHealth({
    clock,
    onChange: (driver, devices) => parts.onHealth(claims.usersOf(driver, devices)),
  });
  const onUsable = (): void => {
    void claims.reconcile();
    parts.onUsable();
  };
  const metrics = createClaimMetrics(parts.registry, clock);
  const drivers = new Drivers({ ...parts, health, metrics, onUsable });
  const driver = (name: string) => drivers.get(name);
  const claims: DynamicResources = new DynamicResources({ ...parts, driver, health, metrics });
  metrics.followClaims(() => claims.inUse());
  const handlers = { ...parts.handlers, DRAPlugin: drivers };
  const watcher = new PluginWatcher({
    dir: join(dataDir, "plugins_registry"),
    handlers,
    clock,
    log,
  });
  return {
    claims,
    async start() {
      drivers.start();
      // Where drivers put their own sockets: their pods mount it.
      await mkdir(join(dataDir, "plugins"), { recursive: true, mode: 0o750 });
      await watcher.start();
      void claims.reconcile();
    },
    [Symbol.dispose]() {
      watcher[Symbol.dispose]();
      drivers[Symbol.dispose]();
      claims[Symbol.dispose]();
      health[Symbol.dispose]();
    },
  };
}
