import { MetricsRegistry, type Histogram, type Sample } from "#base/metrics.ts";
import { registryPrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import { HealthMetrics } from "#apiserver/health-metrics.ts";
import { RequestMetrics } from "#apiserver/request-metrics.ts";
import { WatchMetrics } from "#apiserver/watch-metrics.ts";

/** The metrics of the server under upstream's names, so that existing dashboards read them. */
export interface ServerMetrics {
  readonly registry: MetricsRegistry;
  readonly requests: RequestMetrics;
  readonly watches: WatchMetrics;
  readonly health: HealthMetrics;
  /** How long the two phases of admission take. */
  readonly admission: Histogram;
}

export function createServerMetrics(
  cache: StoreCache,
  registry: MetricsRegistry = new MetricsRegistry(),
): ServerMetrics {
  registry.observedGauge("apiserver_storage_objects", "Stored objects by resource.", () =>
    Array.from(cache.resources(), ({ prefix, size }) => {
      const { group, resource } = namesOf(prefix);
      const name = group === "" ? resource : `${resource}.${group}`;
      return { labels: { resource: name }, value: size };
    }),
  );
  const perResource = (read: (resource: { size: number; bytes: number }) => number) => () =>
    Array.from(cache.resources(), (resource): Sample => ({
      labels: namesOf(resource.prefix),
      value: read(resource),
    }));
  registry.observedGauge(
    "apiserver_resource_objects",
    "Stored objects by group and resource.",
    perResource(({ size }) => size),
  );
  registry.observedGauge(
    "apiserver_resource_size_estimate_bytes",
    "The bytes of stored objects by group and resource.",
    perResource(({ bytes }) => bytes),
  );
  return {
    registry,
    requests: new RequestMetrics(registry),
    watches: new WatchMetrics(registry),
    health: new HealthMetrics(),
    admission: registry.histogram(
      "apiserver_admission_step_admission_duration_seconds",
      "How long the steps of admission took, by type and operation.",
      [0.005, 0.025, 0.1, 0.5, 1, 2.5],
    ),
  };
}

function namesOf(prefix: string): { readonly group: string; readonly resource: string } {
  const [group = "", resource = ""] = prefix.slice(registryPrefix.length).split("/");
  return { group: group === "core" ? "" : group, resource };
}
