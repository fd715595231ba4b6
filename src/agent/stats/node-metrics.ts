import type { MetricsRegistry } from "#base/metrics.ts";
import { podStartBuckets } from "#agent/stats/buckets.ts";

/** As upstream labels a container by its place in the pod; a sidecar is an init container. */
export type ContainerType = "container" | "init_container" | "ephemeral_container";

/** What happens to a node's pods, containers and images is counted here, by kubelet's names. */
export interface NodeMetrics {
  /** A sandbox is about to be made for a pod. */
  podStarts(): void;
  podNotStarted(): void;
  containerStarts(type: ContainerType): void;
  /** `code`: as the container's status shows it: `ErrImagePull`. */
  containerNotStarted(type: ContainerType, code: string): void;
  /** A pod runs, this long after the node saw it first. */
  podRuns(seconds: number): void;
  /** Something of a pod runs that nobody knows any more. */
  orphanFound(): void;
  evicted(signal: string): void;
  imageRemoved(reason: "age" | "space"): void;
}

export function createNodeMetrics(registry: MetricsRegistry): NodeMetrics {
  const counter = (name: string, help: string) => registry.counter(`kubelet_${name}`, help);
  const pods = counter("started_pods_total", "Cumulative number of pods started");
  const podErrors = counter(
    "started_pods_errors_total",
    "Cumulative number of errors when starting pods",
  );
  const containers = counter("started_containers_total", "Cumulative number of containers started");
  const containerErrors = counter(
    "started_containers_errors_total",
    "Cumulative number of errors when starting containers",
  );
  const orphans = counter(
    "orphaned_runtime_pods_total",
    "Number of pods that run although nothing knows them: they went while no agent ran",
  );
  const evictions = counter("evictions", "Cumulative number of pod evictions by eviction signal");
  const images = counter(
    "image_garbage_collected_total",
    "Total number of unused images removed, for want of space or for their age",
  );
  const starts = registry.histogram(
    "kubelet_pod_start_duration_seconds",
    "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run",
    podStartBuckets,
  );
  // Those without labels are there from the start, as upstream's.
  for (const one of [pods, podErrors, orphans]) one.add({}, 0);
  return {
    podStarts: () => pods.add({}),
    podNotStarted: () => podErrors.add({}),
    containerStarts: (type) => containers.add({ container_type: type }),
    containerNotStarted: (type, code) => containerErrors.add({ code, container_type: type }),
    podRuns: (seconds) => starts.observe({}, seconds),
    orphanFound: () => orphans.add({}),
    evicted: (signal) => evictions.add({ eviction_signal: signal }),
    imageRemoved: (reason) => images.add({ reason }),
  };
}
