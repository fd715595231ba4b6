import type { MetricFamily, MetricSample } from "#agent/stats/metric-text.ts";
import type { ContainerUsage, NodeUsage, PodUsage } from "#agent/stats/usage.ts";

/** `/metrics/resource`: what a metrics server reads, by upstream's names. */
export function resourceMetrics(usage: NodeUsage): readonly MetricFamily[] {
  const { machine, pods } = usage;
  const containers = pods.flatMap((pod) =>
    pod.containers.map((container) => ({ ...container, labels: containerLabels(pod, container) })),
  );
  const seconds = (nanoseconds: number): number => nanoseconds / 1e9;
  const counter = (name: string, help: string, samples: readonly MetricSample[]): MetricFamily => ({
    name,
    help,
    type: "counter",
    samples,
  });
  const gauge = (name: string, help: string, samples: readonly MetricSample[]): MetricFamily => ({
    name,
    help,
    type: "gauge",
    samples,
  });
  return [
    counter(
      "container_cpu_usage_seconds_total",
      "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
      containers.map(({ labels, stats: { timeMs, cpuNanoseconds } }) => ({
        labels,
        value: seconds(cpuNanoseconds),
        timeMs,
      })),
    ),
    gauge(
      "container_memory_working_set_bytes",
      "[STABLE] Current working set of the container in bytes",
      containers.map(({ labels, stats: { timeMs, workingSetBytes } }) => ({
        labels,
        value: workingSetBytes,
        timeMs,
      })),
    ),
    gauge(
      "container_start_time_seconds",
      "[STABLE] Start time of the container since unix epoch in seconds",
      containers.map(({ labels, state }) => ({ labels, value: state.startedMs / 1000 })),
    ),
    counter(
      "node_cpu_usage_seconds_total",
      "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
      [{ labels: {}, value: seconds(machine.cpuNanoseconds), timeMs: machine.timeMs }],
    ),
    gauge("node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", [
      { labels: {}, value: machine.memory.workingSetBytes, timeMs: machine.timeMs },
    ]),
    counter(
      "pod_cpu_usage_seconds_total",
      "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
      pods.map((pod) => ({
        labels: podLabels(pod),
        value: seconds(pod.cpuNanoseconds),
        timeMs: pod.timeMs,
      })),
    ),
    gauge(
      "pod_memory_working_set_bytes",
      "[STABLE] Current working set of the pod in bytes",
      pods.map((pod) => ({
        labels: podLabels(pod),
        value: pod.memory.workingSetBytes,
        timeMs: pod.timeMs,
      })),
    ),
    gauge(
      "resource_scrape_error",
      "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
      [{ labels: {}, value: 0 }],
    ),
  ];
}

function podLabels({ pod }: PodUsage): Record<string, string> {
  const { name = "", namespace = "" } = pod.metadata;
  return { namespace, pod: name };
}

function containerLabels(pod: PodUsage, { state }: ContainerUsage): Record<string, string> {
  return { container: state.name, ...podLabels(pod) };
}
