import type { Node, Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { nodes, pods } from "#api/resources.ts";
import { rfc3339 } from "#base/clock.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { ComputedKind, ComputedWish } from "#apiserver/computed-kind.ts";
import {
  cpuQuantity,
  memoryQuantity,
  nodeMetricsKind,
  podMetricsKind,
} from "#apiserver/metrics-api/metrics-kinds.ts";
import type { PodSummary, ProcessSummary } from "#apiserver/metrics-api/node-summary.ts";
import {
  SummaryCache,
  type Sample,
  type SummaryCacheParts,
} from "#apiserver/metrics-api/summary-cache.ts";

/** `kubectl top`: what nodes and pods use, asked of the nodes when somebody wants to know. */
export function metricsApi(cache: StoreCache, parts: SummaryCacheParts): readonly ComputedKind[] {
  const samples = new SummaryCache(parts);
  return [
    { kind: nodeMetricsKind, read: (wish) => readNodes(cache, samples, wish) },
    { kind: podMetricsKind, read: (wish) => readPods(cache, samples, wish) },
  ];
}

async function readNodes(
  cache: StoreCache,
  samples: SummaryCache,
  wish: ComputedWish,
): Promise<readonly JsonObject[]> {
  const known = candidates(cache, nodes, wish).map((stored) => stored.object as unknown as Node);
  const found = await samples.samples(known.map(nameOf), wish.signal);
  return known.flatMap((node) => {
    const sample = found.get(nameOf(node));
    const usage = sample && usageOf(sample.summary.node);
    if (sample === undefined || usage === undefined) return [];
    return [{ ...headOf("NodeMetrics", node, sample), usage }];
  });
}

async function readPods(
  cache: StoreCache,
  samples: SummaryCache,
  wish: ComputedWish,
): Promise<readonly JsonObject[]> {
  const known = candidates(cache, pods, wish)
    .map((stored) => stored.object as unknown as Pod)
    .filter(({ status }) => status?.phase === "Running");
  const nodeNames = new Set(known.map(({ spec }) => spec?.nodeName ?? ""));
  nodeNames.delete("");
  const found = await samples.samples([...nodeNames], wish.signal);
  const byUid = new Map<string, PodSummary>();
  for (const { summary } of found.values()) {
    for (const pod of summary.pods ?? []) byUid.set(pod.podRef.uid, pod);
  }
  return known.flatMap((pod) => {
    const sample = found.get(pod.spec?.nodeName ?? "");
    const containers = (byUid.get(pod.metadata.uid ?? "")?.containers ?? []).map((container) => ({
      name: container.name,
      usage: usageOf(container),
    }));
    // A pod of which only a part is known would look idle.
    const complete = containers.every(({ usage }) => usage !== undefined);
    if (sample === undefined || containers.length === 0 || !complete) return [];
    return [
      { ...headOf("PodMetrics", pod, sample), containers: containers as unknown as JsonObject[] },
    ];
  });
}

/** The objects that are asked for, by their names and labels. */
function candidates(
  cache: StoreCache,
  resource: { readonly group: string; readonly resource: string; readonly namespaced: boolean },
  { namespace, name, matchesLabels }: ComputedWish,
): readonly StoredObject[] {
  const root = resourcePrefix(resource);
  const prefix = resource.namespaced && namespace !== "" ? `${root}${namespace}/` : root;
  const stored = cache.resource(root);
  if (name !== undefined && (!resource.namespaced || namespace !== "")) {
    const one = stored.get(prefix + name);
    return one ? [one] : [];
  }
  return stored.list(prefix).filter(({ labels }) => matchesLabels(labels));
}

function headOf(kind: string, { metadata }: Node | Pod, sample: Sample): JsonObject {
  const { name = "", namespace, labels } = metadata;
  const timestamp = sample.summary.node.cpu?.time ?? sample.summary.node.startTime;
  return {
    kind,
    apiVersion: "metrics.k8s.io/v1beta1",
    metadata: {
      name,
      ...(namespace && { namespace }),
      creationTimestamp: timestamp,
      ...(labels && { labels: { ...labels } }),
    },
    timestamp: rfc3339(Date.parse(timestamp)),
    window: `${(sample.windowMs / 1000).toFixed(3).replace(/\.?0+$/, "")}s`,
  };
}

function usageOf({ cpu, memory }: ProcessSummary): JsonObject | undefined {
  if (cpu?.usageNanoCores === undefined || memory?.workingSetBytes === undefined) return undefined;
  return { cpu: cpuQuantity(cpu.usageNanoCores), memory: memoryQuantity(memory.workingSetBytes) };
}
