import { podCgroup } from "#agent/pods/sandbox-config.ts";
import type { MetricFamily, MetricSample } from "#agent/stats/metric-text.ts";
import type { ContainerUsage, NodeUsage, PodUsage, ProcessUsage } from "#agent/stats/usage.ts";

/** `/metrics/cadvisor`: containers, pods, and the machine as the group `/`, by the names dashboards know. */
export function cadvisorMetrics(usage: NodeUsage, cgroupRoot = ""): readonly MetricFamily[] {
  const subjects = subjectsOf(usage, cgroupRoot);
  const measured = ({ name, help, type, read }: Measure): MetricFamily => ({
    name,
    help,
    type,
    samples: subjects.flatMap((subject): MetricSample[] => {
      const value = read(subject);
      return value === undefined ? [] : [{ labels: subject.labels, value, timeMs: subject.timeMs }];
    }),
  });
  return [...measures.map(measured), ...networkMetrics(usage, cgroupRoot)];
}

interface Subject {
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly usage: ProcessUsage;
  readonly container?: ContainerUsage;
}

interface Measure {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly read: (subject: Subject) => number | undefined;
}

const measures: readonly Measure[] = [
  {
    name: "container_cpu_usage_seconds_total",
    help: "Cumulative cpu time consumed in seconds.",
    type: "counter",
    read: ({ usage }) => usage.cpuNanoseconds / 1e9,
  },
  {
    name: "container_fs_usage_bytes",
    help: "Number of bytes that are consumed by the container on this filesystem.",
    type: "gauge",
    read: ({ container }) => container?.stats.writtenBytes,
  },
  {
    name: "container_memory_rss",
    help: "Size of RSS in bytes.",
    type: "gauge",
    read: ({ usage }) => usage.memory.rssBytes,
  },
  {
    name: "container_memory_usage_bytes",
    help: "Current memory usage in bytes, including all memory regardless of when it was accessed",
    type: "gauge",
    read: ({ usage }) => usage.memory.usageBytes,
  },
  {
    name: "container_memory_working_set_bytes",
    help: "Current working set in bytes.",
    type: "gauge",
    read: ({ usage }) => usage.memory.workingSetBytes,
  },
  {
    name: "container_processes",
    help: "Number of processes running inside the container.",
    type: "gauge",
    read: ({ usage }) => usage.processes,
  },
  {
    name: "container_start_time_seconds",
    help: "Start time of the container since unix epoch in seconds.",
    type: "gauge",
    read: ({ container }) => container && container.state.startedMs / 1000,
  },
];

function subjectsOf(usage: NodeUsage, cgroupRoot: string): readonly Subject[] {
  const machine: Subject = {
    labels: labelsOf({ id: "/" }),
    timeMs: usage.machine.timeMs,
    usage: {
      ...usage.machine,
      nanoCores: usage.nanoCores,
      processes: usage.machine.processes?.current ?? 0,
    },
  };
  return [
    machine,
    ...usage.pods.flatMap((pod) => [
      { labels: podLabels(pod, cgroupRoot), timeMs: pod.timeMs, usage: pod },
      ...pod.containers.map((container) => containerSubject(pod, container, cgroupRoot)),
    ]),
  ];
}

function containerSubject(pod: PodUsage, container: ContainerUsage, cgroupRoot: string): Subject {
  const { state, stats, nanoCores } = container;
  const { timeMs, cpuNanoseconds } = stats;
  return {
    labels: {
      ...podLabels(pod, cgroupRoot),
      container: state.name,
      id: `${podCgroup(cgroupRoot, pod.pod)}/${state.id}`,
      image: state.image,
      name: state.id,
    },
    timeMs,
    usage: { timeMs, cpuNanoseconds, nanoCores, memory: stats },
    container,
  };
}

/** Every family has the same labels, empty where they mean nothing. */
function labelsOf(labels: Readonly<Record<string, string>>): Record<string, string> {
  return { container: "", id: "", image: "", name: "", namespace: "", pod: "", ...labels };
}

function podLabels({ pod }: PodUsage, cgroupRoot: string): Record<string, string> {
  const { name = "", namespace = "" } = pod.metadata;
  return labelsOf({ id: podCgroup(cgroupRoot, pod), namespace, pod: name });
}

const networkCounters = [
  ["container_network_receive_bytes_total", "rxBytes", "Cumulative count of bytes received"],
  ["container_network_receive_errors_total", "rxErrors", "Cumulative count of errors on receiving"],
  ["container_network_transmit_bytes_total", "txBytes", "Cumulative count of bytes transmitted"],
  [
    "container_network_transmit_errors_total",
    "txErrors",
    "Cumulative count of errors on transmitting",
  ],
] as const;

function networkMetrics({ pods, machine }: NodeUsage, cgroupRoot: string): readonly MetricFamily[] {
  const all = [
    { labels: labelsOf({ id: "/" }), timeMs: machine.timeMs, network: machine.network },
    ...pods.map((pod) => ({
      labels: podLabels(pod, cgroupRoot),
      timeMs: pod.timeMs,
      network: pod.network,
    })),
  ];
  return networkCounters.map(([name, field, help]) => ({
    name,
    help,
    type: "counter",
    samples: all.flatMap(({ labels, timeMs, network }) =>
      (network?.interfaces ?? []).map((one) => ({
        labels: { ...labels, interface: one.name },
        value: one[field],
        timeMs,
      })),
    ),
  }));
}
