import type { Clock } from "#base/clock.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { Store } from "#storage/store.ts";
import { registryPrefix } from "#apiserver/cache/store-cache.ts";

/** The store of requests, its calls counted and measured under the names that upstream's dashboards read. */
export function measuredStore(store: Store, clock: Clock, registry: MetricsRegistry): Store {
  const durations = registry.histogram(
    "etcd_request_duration_seconds",
    "How long the store took, by operation and resource.",
    [
      0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30,
      45, 60,
    ],
  );
  const requests = registry.counter("etcd_requests_total", "Calls of the store.");
  const errors = registry.counter("etcd_request_errors_total", "Calls of the store that failed.");
  const measured = async <T>(operation: string, key: string, act: () => Promise<T>): Promise<T> => {
    const labels = { operation, ...namesOf(key) };
    const startMs = clock.now();
    requests.add(labels);
    try {
      return await act();
    } catch (error) {
      errors.add(labels);
      throw error;
    } finally {
      durations.observe(labels, (clock.now() - startMs) / 1_000);
    }
  };
  return {
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => measured("get", key, () => store.get(key)),
    list: (range, options) => measured("list", range.start, () => store.list(range, options)),
    put: (key, value, expected) =>
      measured(expected === 0 ? "create" : "update", key, () => store.put(key, value, expected)),
    delete: (key, expected) => measured("delete", key, () => store.delete(key, expected)),
    watch: (range, fromRevision, signal) => store.watch(range, fromRevision, signal),
    compact: (revision) => store.compact(revision),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Of a key or of the beginning of some. */
function namesOf(key: string): { readonly group: string; readonly resource: string } {
  const [group = "", resource = ""] = key.slice(registryPrefix.length).split("/");
  return { group: group === "core" ? "" : group, resource };
}
