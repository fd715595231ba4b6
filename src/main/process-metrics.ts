import process from "node:process";
import type { MetricsRegistry, Sample } from "#base/metrics.ts";

/** The figures of this process under the names that Prometheus clients give them. */
export function registerProcessMetrics(metrics: MetricsRegistry): void {
  const startSeconds = Math.floor(Date.now() / 1000 - process.uptime());
  metrics.observedCounter(
    "process_cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
    () => {
      const { user, system } = process.cpuUsage();
      return one((user + system) / 1e6);
    },
  );
  metrics.observedGauge("process_resident_memory_bytes", "Resident memory size in bytes.", () =>
    one(process.memoryUsage.rss()),
  );
  metrics.observedGauge(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    () => one(startSeconds),
  );
  metrics.observedGauge(
    "nodejs_heap_size_used_bytes",
    "Process heap size used from Node.js in bytes.",
    () => one(process.memoryUsage().heapUsed),
  );
}

function one(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}
