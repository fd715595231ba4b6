import type { Pod } from "#api/generated/types.ts";
import { type Page, pageNotFound, type PageRequest } from "#agent/streams/page.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { ProbeMetrics } from "#agent/stats/agent-metrics.ts";
import { cadvisorMetrics } from "#agent/stats/cadvisor-metrics.ts";
import { logPage } from "#agent/stats/log-pages.ts";
import { metricText, type MetricFamily } from "#agent/stats/metric-text.ts";
import { resourceMetrics } from "#agent/stats/resource-metrics.ts";
import { summaryOf } from "#agent/stats/summary.ts";
import type { NodeUsage } from "#agent/stats/usage.ts";
import type { UsageCollector } from "#agent/stats/usage-collector.ts";

export interface NodePageParts {
  readonly nodeName: string;
  readonly usage: UsageCollector;
  readonly pods: () => readonly Pod[];
  readonly cgroupRoot?: string;
  /** What `/logs/` shows; absent on a node that keeps no files. */
  readonly logDir?: string;
  /** The node's settings as a `KubeletConfiguration`. */
  readonly configuration: object;
  /** Metrics of the agent itself, and of its probes. */
  readonly metrics: MetricsRegistry;
  readonly probeMetrics: ProbeMetrics;
  /** Why the node is not well; undefined while it is. */
  readonly problem: () => string | undefined;
}

/** What a node answers besides streams, on kubelet's paths. */
export type NodePages = (request: PageRequest) => Promise<Page>;

export function createNodePages(parts: NodePageParts): NodePages {
  const usage = (disks: boolean): Promise<NodeUsage> => parts.usage.collect({ disks });
  const pages: Readonly<Record<string, (query: URLSearchParams) => Promise<Page>>> = {
    "/pods": async () => json(podList(parts.pods())),
    "/runningpods/": async () => json(podList(runningPods((await usage(false)).pods))),
    "/stats/summary": async (query) => {
      const short = /^(1|t|true)$/i.test(query.get("only_cpu_and_memory") ?? "");
      return json(summaryOf(parts.nodeName, await usage(!short)));
    },
    "/metrics/resource": async () => metrics(resourceMetrics(await usage(false))),
    "/metrics/cadvisor": async () => metrics(cadvisorMetrics(await usage(false), parts.cgroupRoot)),
    "/metrics": async () => text(parts.metrics.exposition()),
    "/metrics/probes": async () => text(parts.probeMetrics.exposition()),
    "/configz": async () => json({ kubeletconfig: parts.configuration }),
    "/healthz": async () => health(parts.problem()),
    "/healthz/ping": async () => text("ok"),
    "/healthz/syncloop": async () => health(parts.problem()),
  };
  return async ({ path, query }) => {
    if (path.startsWith("/logs/") && parts.logDir) {
      return logPage(parts.logDir, path.slice("/logs".length));
    }
    const page = Object.hasOwn(pages, path) ? pages[path] : pages[`${path}/`];
    if (page === undefined) {
      throw pageNotFound();
    }
    return page(query);
  };
}

function json(value: object): Page {
  return { contentType: "application/json", body: JSON.stringify(value) };
}

function text(body: string): Page {
  return { contentType: "text/plain; version=0.0.4; charset=utf-8", body };
}

function metrics(families: readonly MetricFamily[]): Page {
  return text(metricText(families));
}

function health(problem: string | undefined): Page {
  if (problem === undefined) return text("ok");
  return { ...text(problem), status: 500 };
}

function podList(items: readonly Pod[]): object {
  return { kind: "PodList", apiVersion: "v1", metadata: {}, items };
}

/** What the runtime knows of, with nothing but names and images. */
function runningPods(pods: NodeUsage["pods"]): readonly Pod[] {
  return pods.map(({ pod, containers }) => {
    const { name = "", namespace = "", uid = "" } = pod.metadata;
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, uid },
      spec: {
        containers: containers.map(({ state }) => ({ name: state.name, image: state.image })),
      },
      status: {},
    };
  });
}
