import type { Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";
import type { PodCgroups } from "#agent/node/pod-cgroups.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import type { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";
import type { DownwardNode } from "#agent/pods/downward-values.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import type { ImagePuller } from "#agent/pods/image-puller.ts";
import type { DnsSettings } from "#agent/pods/pod-dns.ts";
import { findContainer } from "#agent/pods/pod-containers.ts";
import type { ResizeAnswer } from "#agent/pods/resize-told.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import type { PodFiles } from "#agent/pods/pod-files.ts";
import type { MirrorKeeper } from "#agent/static-pods/mirror-keeper.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { Handlers } from "#agent/probes/handlers.ts";
import type { NodeMetrics } from "#agent/stats/node-metrics.ts";
import type { ProbeMetrics } from "#agent/stats/agent-metrics.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

/** What all the pods of a node share. */
export interface PodParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly runtime: ContainerRuntime;
  readonly view: RuntimeView;
  readonly files: PodFiles;
  readonly objects: ReferencedObjects;
  readonly images: ImagePuller;
  readonly mirrors: MirrorKeeper;
  readonly handlers: Handlers;
  readonly metrics: NodeMetrics;
  readonly probeResults: ProbeMetrics;
  readonly node: DownwardNode;
  /** Asked for each pod that is new here: why it must not run, in upstream's words. */
  readonly admit: (pod: Pod) => PodEnd | undefined | Promise<PodEnd | undefined>;
  /** Asked when a pod is to have other resources than it was granted. */
  readonly answerResize: (pod: Pod, granted: Pod) => ResizeAnswer;
  readonly memoryBytes: number;
  readonly dns: DnsSettings;
  readonly cgroupRoot?: string;
  /** Absent where containers run on any processor. */
  readonly cpus?: CpuManager;
  /** Absent where there are no plugins for devices, as for simulated pods. */
  readonly devices?: DeviceManager;
  /** Absent where there are no drivers of claims, as for simulated pods. */
  readonly dynamicResources?: DynamicResources;
  /** Absent where pods have no control groups, as simulated ones. */
  readonly cgroups?: PodCgroups;
  /** Called when a pod will not run any more, or is gone. */
  readonly onGone?: (pod: Pod) => void;
  /** Called when a pod has given back some of what it requested. */
  readonly onRoom?: () => void;
  /** The node's pods without this one. */
  readonly others: (pod: Pod) => readonly Pod[];
  /** The name in container ids: `containerd`. */
  readonly runtimeName: string;
}

export const graceOf = (pod: Pod): number =>
  pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;

/** What a container gets to end by itself: what the probe that failed says, else the pod. */
export function stopGrace(
  pod: Pod,
  { name, probe }: { readonly name: string; readonly probe?: "Liveness" | "Startup" },
): number {
  const container = findContainer(pod, name)?.spec;
  const failed = probe === "Liveness" ? container?.livenessProbe : container?.startupProbe;
  return (probe && failed?.terminationGracePeriodSeconds) ?? graceOf(pod);
}

/** A pod removed from the API by force gets as much time as its deletion allowed, one second at least. */
export function removalGrace(pod: Pod): number {
  return pod.metadata.deletionTimestamp ? Math.max(1, graceOf(pod)) : graceOf(pod);
}
