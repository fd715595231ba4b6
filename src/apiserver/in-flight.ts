import { tooManyRequests } from "#apiserver/refusals.ts";
import type { ServerMetrics } from "#apiserver/metrics.ts";
import type { UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/**
 * Keeps the number of requests that are being answered within upstream's default limits. Watches and connections
 * do not count, nor does the administrator, who must be able to mend an overloaded cluster.
 */
export class InFlightLimit {
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

  /** Throws 429 when there are too many already; otherwise what to call when the request is answered. */
  enter(user: UserInfo, info: RequestInfo): () => void {
    if (isLongRunning(info)) return () => {};
    const kind = readOnlyVerbs.has(info.verb) ? "readOnly" : "mutating";
    if (this.#counts[kind] >= limits[kind] && !user.groups.includes("system:masters")) {
      throw tooManyRequests();
    }
    this.#counts[kind] += 1;
    return () => {
      this.#counts[kind] -= 1;
    };
  }
}

const limits = { readOnly: 400, mutating: 200 };
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
