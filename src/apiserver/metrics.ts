import type { Counter, Gauge, Histogram } from "#base/metrics.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { registryPrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** The metrics of the server under upstream's names, so that existing dashboards read them. */
export interface ServerMetrics {
  readonly registry: MetricsRegistry;
  readonly requests: Counter;
  readonly durations: Histogram;
  readonly longRunning: Gauge;
}

export function createServerMetrics(
  cache: StoreCache,
  registry: MetricsRegistry = new MetricsRegistry(),
): ServerMetrics {
  registry.observedGauge("apiserver_storage_objects", "Stored objects by resource.", () =>
    Array.from(cache.resources(), ({ prefix, size }) => {
      const [group = "", resource = ""] = prefix.slice(registryPrefix.length).split("/");
      const name = group === "core" ? resource : `${resource}.${group}`;
      return { labels: { resource: name }, value: size };
    }),
  );
  return {
    registry,
    requests: registry.counter(
      "apiserver_request_total",
      "Requests by verb, resource and the code that was answered.",
    ),
    durations: registry.histogram(
      "apiserver_request_duration_seconds",
      "How long requests took, watches and connections left out.",
      [
        0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30,
        45, 60,
      ],
    ),
    longRunning: registry.gauge(
      "apiserver_longrunning_requests",
      "Watches and connections that are open.",
    ),
  };
}

export function requestLabels(info: RequestInfo, code: number): Record<string, string> {
  return { ...targetLabels(info), code: String(code) };
}

export function targetLabels(info: RequestInfo): Record<string, string> {
  const { group, version, resource, subresource } = info;
  return { verb: verbLabel(info), group, version, resource, subresource, scope: scopeOf(info) };
}

/** Paths that are no resource come without their verb, which a caller could choose freely. */
function verbLabel(info: RequestInfo): string {
  if (info.isResource) return info.verb.toUpperCase();
  return ["get", "post", "put", "patch", "delete"].includes(info.verb)
    ? info.verb.toUpperCase()
    : "OTHER";
}

function scopeOf(info: RequestInfo): string {
  if (!info.isResource) return "";
  if (info.name !== "") return "resource";
  return info.namespace === "" ? "cluster" : "namespace";
}
