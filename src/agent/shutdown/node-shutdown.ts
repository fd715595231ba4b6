import type { Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { NodeGate } from "#agent/node-gate.ts";
import type { NodeKeeper } from "#agent/node/node-keeper.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import type { PodManager } from "#agent/pods/pod-manager.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { shutdownGroups } from "#agent/shutdown/plan-shutdown.ts";
import { shutdownRefusal, shutDownNode } from "#agent/shutdown/shut-down-node.ts";
import { stopContainers } from "#agent/shutdown/stop-containers.ts";
import { hasSystemd, watchShutdown } from "#agent/shutdown/watch-shutdown.ts";

export interface NodeShutdownParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: NodeSettings;
  readonly runtime: ContainerRuntime;
  readonly gate: NodeGate;
  readonly keeper: NodeKeeper;
  readonly manager: PodManager;
}

/** How a node's pods end, all of them: because the machine goes down, or because the agent is stopped for good. */
export interface NodeShutdown {
  /** Takes no pods any more, and ends those that run by their priority. */
  shutDown(): Promise<void>;
  /** Does so when systemd says that the machine goes down, where pods are given time and systemd runs the machine. */
  watch(): Disposable | undefined;
  /** Ends all containers and sandboxes. */
  stopAll(): Promise<void>;
}

export function createNodeShutdown(parts: NodeShutdownParts): NodeShutdown {
  const { clock, log, settings, runtime, gate, keeper, manager } = parts;
  const groups = shutdownGroups(settings);
  const shutDown = async (): Promise<void> => {
    gate.refusal = shutdownRefusal;
    keeper.setReady("node is shutting down");
    const pods = (): readonly Pod[] => manager.told();
    await shutDownNode({ clock, log, groups, pods, end: (pod, end) => manager.end(pod, end) });
  };
  const onCancel = (): void => {
    gate.refusal = undefined;
    keeper.setReady(undefined);
  };
  return {
    shutDown,
    watch() {
      if (groups.length === 0 || !hasSystemd()) return undefined;
      return watchShutdown({ log, onShutdown: shutDown, onCancel });
    },
    async stopAll() {
      await stopContainers(runtime, manager.pods(), groups);
      const sandboxes = await runtime.listSandboxes();
      await Promise.all(sandboxes.map(({ id }) => runtime.stopSandbox(id)));
    },
  };
}
