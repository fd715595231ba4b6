import { type Log, messageOf } from "#base/log.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import { podLabels } from "#agent/pods/sandbox-config.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

/** Moves running containers that share processors to those that are shared now. */
export async function shareCpus(parts: {
  readonly cpus: CpuManager;
  readonly runtime: ContainerRuntime;
  readonly view: RuntimeView;
  readonly log: Log;
}): Promise<void> {
  const { cpus, runtime, view, log } = parts;
  const running = view.containers().filter(({ state }) => state === "running");
  for (const { id, name, labels } of running) {
    const share = cpus.shareOf(labels[podLabels.uid] ?? "", name);
    if (share.isExclusive) continue;
    try {
      await runtime.updateContainer(id, { cpus: share.cpus });
    } catch (error) {
      log.warn("container not moved to other processors", {
        container: id,
        reason: messageOf(error),
      });
    }
  }
}
