import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { AgentOptions } from "#agent/agent-options.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import { loadPlugins } from "#agent/devices/load-plugins.ts";
import type { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";

export interface NodePluginParts extends AgentOptions {
  readonly dataDir: string;
  readonly registry: MetricsRegistry;
  readonly cpus?: CpuManager;
  readonly isKnown: (podUid: string) => boolean;
  /** The pods that the node has, for who monitors their devices. */
  readonly pods: () => readonly Pod[];
  /** What devices there are has changed. */
  readonly onDevices: () => void;
  /** What these pods' statuses show of their devices has changed. */
  readonly onPods: (podUids: Iterable<string>) => void;
  /** Claims that could not be prepared may be now. */
  readonly onUsable: () => void;
}

/** A node's plugins: of devices, and of claims. */
export interface NodePlugins extends Disposable {
  readonly devices: DeviceManager;
  readonly claims: DynamicResources;
  /** Listens for plugins, and for who asks what pods got. To be called when the node's pods are known. */
  start(): Promise<void>;
}

export async function openNodePlugins(parts: NodePluginParts): Promise<NodePlugins> {
  const { dataDir, clock, log, deviceCallTimeoutMs, cpus, pods, onPods } = parts;
  const plugins = await loadPlugins();
  const timeout = { ...(deviceCallTimeoutMs && { callTimeoutMs: deviceCallTimeoutMs }) };
  const devices = new plugins.DeviceManager({
    dir: join(dataDir, "device-plugins"),
    ...timeout,
    clock,
    log,
    onChange(podUids) {
      parts.onDevices();
      onPods(podUids);
    },
  });
  const service = plugins.createClaimService({ ...parts, ...timeout, onHealth: onPods });
  const { claims } = service;
  let served: Disposable | undefined;
  return {
    devices,
    claims,
    async start() {
      await devices.start();
      await service.start();
      served = await plugins.servePodResources({
        dir: join(dataDir, "pod-resources"),
        devices,
        claims,
        ...(cpus && { cpus }),
        pods,
      });
    },
    [Symbol.dispose]() {
      for (const one of [devices, service, served]) one?.[Symbol.dispose]();
    },
  };
}
