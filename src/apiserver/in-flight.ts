import type { ServerMetrics } from "#apiserver/metrics.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** Counts the requests that are being answered, watches and connections left out. */
export class InFlight {
  readonly #counts = { readOnly: 0, mutating: 0 };

  constructor({ registry }: ServerMetrics) {
    registry.observedGauge(
      "apiserver_current_inflight_requests",
      "Requests that are being answered, by what they do.",
      () =>
        Object.entries(this.#counts).map(([kind, value]) => ({
          labels: { request_kind: kind },
          value,
        })),
    );
  }

  change(info: RequestInfo, by: 1 | -1): void {
    if (isLongRunning(info)) return;
    this.#counts[readOnlyVerbs.has(info.verb) ? "readOnly" : "mutating"] += by;
  }
}

const readOnlyVerbs: ReadonlySet<string> = new Set(["get", "list", "head", "options"]);

export function isLongRunning(info: RequestInfo): boolean {
  return info.verb === "watch" || longRunningSubresources.has(info.subresource);
}

const longRunningSubresources: ReadonlySet<string> = new Set([
  "attach",
  "exec",
  "log",
  "portforward",
  "proxy",
]);
