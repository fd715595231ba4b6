import { join } from "node:path";
import type { Node, Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { DiskReserve } from "#agent/eviction/disk-reserve.ts";
import { EvictionManager, type EvictionParts } from "#agent/eviction/eviction-manager.ts";
import { type Observations, observationsOf, type Pressure } from "#agent/eviction/thresholds.ts";
import { ImageCollector } from "#agent/images/image-collector.ts";
import { LogRotator, type RunningLog } from "#agent/logs/log-rotator.ts";
import { killGroup } from "#agent/node/kill-group.ts";
import { type DiskSpace, readDiskSpace, readMachineUsage } from "#agent/node/machine-usage.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import { OomWatcher } from "#agent/node/oom-watcher.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { PodManager } from "#agent/pods/pod-manager.ts";
import { podCgroup } from "#agent/pods/sandbox-config.ts";
import { isTerminal } from "#agent/pods/pod-observation.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import type { UsageCollector } from "#agent/stats/usage-collector.ts";
import type { NodeMetrics } from "#agent/stats/node-metrics.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

export interface HousekeepingParts {
  readonly runtime: ContainerRuntime;
  readonly view: RuntimeView;
  readonly manager: PodManager;
  readonly files: PodFiles;
  readonly usage: UsageCollector;
  readonly dataDir: string;
  readonly cgroupRoot?: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly node: Node;
  readonly settings: NodeSettings;
  readonly metrics: NodeMetrics;
  readonly onPressure: (pressures: ReadonlySet<Pressure>) => void;
  readonly onImagesRemoved: () => void;
}

/** What keeps a node from running full: logs are rotated, unused images go, and pods when nothing else helps. */
export interface Housekeeping extends Disposable {
  start(): Promise<void>;
}

export function createHousekeeping(parts: HousekeepingParts): Housekeeping {
  const { runtime, dataDir, manager } = parts;
  const imageSpace = imageSpaceOf(runtime);
  const images = new ImageCollector({
    ...parts,
    space: imageSpace,
    onRemoved: parts.onImagesRemoved,
  });
  const logs = new LogRotator({ ...parts, logs: () => runningLogs(parts.view) });
  const oom = new OomWatcher(({ name, pid }) => {
    const message = `System OOM encountered, victim process: ${name}, pid: ${pid}`;
    parts.recorder.record(parts.node, { type: "Warning", reason: "SystemOOM", message });
  });
  const eviction = new EvictionManager({
    ...parts,
    async observe() {
      await oom.look().catch((error: unknown) => {
        parts.log.warn("kernel not asked who ran out of memory", { reason: messageOf(error) });
      });
      return observe(parts.clock, dataDir, imageSpace);
    },
    pods: () => manager.pods(),
    end: (pod, end) => manager.end(pod, end),
    fullDisk: fullDiskOf(parts),
    async reclaimDisk() {
      await removeEndedContainers(parts);
      await images.removeUnused();
    },
  });
  return {
    async start() {
      logs.start();
      await Promise.all([images.start(), eviction.start()]);
    },
    [Symbol.dispose]() {
      for (const one of [logs, images, eviction]) one[Symbol.dispose]();
    },
  };
}

function fullDiskOf({ dataDir, cgroupRoot }: HousekeepingParts): EvictionParts["fullDisk"] {
  const reserve = new DiskReserve(join(dataDir, "disk-reserve"), () => readDiskSpace(dataDir));
  return {
    hold: () => reserve.hold(),
    async relieve(pod) {
      if (cgroupRoot) await killGroup(podCgroup(cgroupRoot, pod));
      await reserve.release();
    },
  };
}

function runningLogs(view: RuntimeView): readonly RunningLog[] {
  return view
    .containers()
    .filter(({ state, logPath }) => state === "running" && logPath !== "")
    .map(({ id, logPath }) => ({ containerId: id, path: logPath }));
}

/** The folder that images are in stays where it is: it is asked for once. */
function imageSpaceOf(runtime: ContainerRuntime): () => Promise<DiskSpace | undefined> {
  let path: string | undefined;
  return async () => {
    path ??= (await runtime.imageFilesystem()).path;
    return path === undefined ? undefined : readDiskSpace(path);
  };
}

async function observe(
  clock: Clock,
  dataDir: string,
  imageSpace: () => Promise<DiskSpace | undefined>,
): Promise<Observations> {
  const [machine, node, images] = await Promise.all([
    readMachineUsage(clock.now()),
    readDiskSpace(dataDir),
    imageSpace(),
  ]);
  return observationsOf({ ...machine, node, ...(images && { images }) });
}

/** Containers of pods that said their last word, and those that were restarted since. */
async function removeEndedContainers({
  runtime,
  view,
  manager,
  files,
  log,
}: HousekeepingParts): Promise<void> {
  for (const pod of manager.pods()) {
    for (const { id, name, attempt } of endedContainers(view, pod)) {
      try {
        await runtime.removeContainer(id);
        view.dropContainer(id);
        await files.forget(pod, name, attempt);
      } catch (error) {
        log.warn("ended container not removed", { container: id, reason: messageOf(error) });
      }
    }
  }
}

function endedContainers(view: RuntimeView, pod: Pod) {
  const containers = view.containersOf(pod.metadata.uid ?? "");
  return containers.filter(({ id, name, state }) => {
    const newest = containers.find((other) => other.name === name);
    return state === "exited" && (isTerminal(pod) || newest?.id !== id);
  });
}
