import { uidOf } from "#api/meta.ts";
import type { Pod } from "#api/generated/types.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { isStatic } from "#agent/static-pods/mirror-keeper.ts";
import type { PodManager } from "#agent/pods/pod-manager.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";

/** `/metrics`: of the agent itself, by kubelet's names. */
export function agentMetrics(
  registry: MetricsRegistry,
  parts: {
    readonly manager: PodManager;
    readonly view: RuntimeView;
    readonly nodeName: string;
  },
): MetricsRegistry {
  const { manager, view, nodeName } = parts;
  registry.observedGauge("kubelet_node_name", "The node's name. The count is always 1.", () => [
    { labels: { node: nodeName }, value: 1 },
  ]);
  registry.observedGauge(
    "kubelet_desired_pods",
    "The number of pods the kubelet is being instructed to run.",
    () => {
      const all = manager.pods();
      const ofFiles = all.filter(isStatic).length;
      return [
        { labels: { static: "" }, value: all.length - ofFiles },
        { labels: { static: "true" }, value: ofFiles },
      ];
    },
  );
  registry.observedGauge(
    "kubelet_running_pods",
    "Number of pods that have a running pod sandbox",
    () => [{ labels: {}, value: view.sandboxes().filter(({ state }) => state === "ready").length }],
  );
  registry.observedGauge(
    "kubelet_running_containers",
    "Number of containers currently running",
    () =>
      (["created", "running", "exited", "unknown"] as const).map((state) => ({
        labels: { container_state: state },
        value: view.containers().filter((container) => container.state === state).length,
      })),
  );
  return registry;
}

/** `/metrics/probes`: how often which probe of which container went how. */
export interface ProbeMetrics {
  count(pod: Pod, probe: ProbeOutcome): void;
  /** To be called when a pod is gone. */
  forget(pod: Pod): void;
  exposition(): string;
}

export interface ProbeOutcome {
  readonly container: string;
  readonly kind: "Startup" | "Liveness" | "Readiness";
  readonly ok: boolean;
}

export function createProbeMetrics(): ProbeMetrics {
  const counts = new Map<string, Map<string, { labels: Record<string, string>; value: number }>>();
  const registry = new MetricsRegistry();
  registry.observedCounter(
    "prober_probe_total",
    "Cumulative number of a liveness, readiness or startup probe for a container by result.",
    () => [...counts.values()].flatMap((samples) => [...samples.values()]),
  );
  return {
    count(pod, { container, kind, ok }) {
      const result = ok ? "successful" : "failed";
      const uid = uidOf(pod);
      let samples = counts.get(uid);
      if (samples === undefined) counts.set(uid, (samples = new Map()));
      const key = `${container}/${kind}/${result}`;
      const known = samples.get(key);
      if (known) known.value += 1;
      else {
        const { name = "", namespace = "" } = pod.metadata;
        const labels = { container, namespace, pod: name, pod_uid: uid, probe_type: kind, result };
        samples.set(key, { labels, value: 1 });
      }
    },
    forget: (pod) => void counts.delete(uidOf(pod)),
    exposition: () => registry.exposition(),
  };
}
