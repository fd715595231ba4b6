import type { MetricsRegistry } from "#base/metrics.ts";
import type { ContainerRuntime, SandboxConfig } from "#agent/runtime/container-runtime.ts";
import { growingBuckets, usualBuckets } from "#agent/stats/buckets.ts";

export interface MeasuredRuntimeParts {
  readonly runtime: ContainerRuntime;
  readonly registry: MetricsRegistry;
  readonly clock: { now(): number };
}

type Work = (...request: readonly unknown[]) => unknown;

/** By CRI's names, as upstream's; what is not here is no call of the runtime. */
const operations: Readonly<Partial<Record<keyof ContainerRuntime, string>>> = {
  runSandbox: "run_podsandbox",
  stopSandbox: "stop_podsandbox",
  removeSandbox: "remove_podsandbox",
  listSandboxes: "list_podsandbox",
  createContainer: "create_container",
  startContainer: "start_container",
  stopContainer: "stop_container",
  removeContainer: "remove_container",
  listContainers: "list_containers",
  containerState: "container_status",
  updateContainer: "update_container",
  reopenLog: "reopen_container_log",
  containerStats: "list_container_stats",
  imageFilesystem: "image_fs_info",
  exec: "exec",
  attach: "attach",
  portForward: "port_forward",
  execSync: "exec_sync",
  imageStatus: "image_status",
  pullImage: "pull_image",
  listImages: "list_images",
  removeImage: "remove_image",
};

/** The same runtime, whose calls are counted and timed by kubelet's names. */
export function measureRuntime(parts: MeasuredRuntimeParts): ContainerRuntime {
  const measure = createMeasure(parts);
  return new Proxy(parts.runtime, {
    get(runtime, name) {
      const member: unknown = Reflect.get(runtime, name);
      if (typeof member !== "function") return member;
      const call: Work = (...request) => Reflect.apply(member, runtime, request) as unknown;
      const operation = operations[name as keyof ContainerRuntime];
      return operation === undefined ? call : measure(operation, call);
    },
  });
}

function createMeasure({ registry, clock }: MeasuredRuntimeParts) {
  const total = registry.counter(
    "kubelet_runtime_operations_total",
    "Cumulative number of runtime operations by operation type.",
  );
  const errors = registry.counter(
    "kubelet_runtime_operations_errors_total",
    "Cumulative number of runtime operation errors by operation type.",
  );
  const durations = registry.histogram(
    "kubelet_runtime_operations_duration_seconds",
    "Duration in seconds of runtime operations. Broken down by operation type.",
    growingBuckets(0.005, 2.5, 14),
  );
  const sandboxes = registry.histogram(
    "kubelet_run_podsandbox_duration_seconds",
    "Duration in seconds of the run_podsandbox operations. Broken down by RuntimeClass.Handler.",
    usualBuckets,
  );
  const sandboxErrors = registry.counter(
    "kubelet_run_podsandbox_errors_total",
    "Cumulative number of the run_podsandbox operation errors by RuntimeClass.Handler.",
  );
  return (operation: string, work: Work): Work =>
    async (...request) => {
      const labels = { operation_type: operation };
      const handler = operation === "run_podsandbox" ? handlerOf(request[0]) : undefined;
      const startMs = clock.now();
      try {
        return await work(...request);
      } catch (error) {
        errors.add(labels);
        if (handler) sandboxErrors.add(handler);
        throw error;
      } finally {
        const seconds = Math.max(0, clock.now() - startMs) / 1000;
        total.add(labels);
        durations.observe(labels, seconds);
        if (handler) sandboxes.observe(handler, seconds);
      }
    };
}

function handlerOf(config: unknown): { readonly runtime_handler: string } {
  return { runtime_handler: (config as SandboxConfig).runtimeHandler ?? "" };
}
